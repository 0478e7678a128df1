import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../src/cli/read-settings.ts';

let cwd: string;

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'meshdoh-settings-'));
});

afterEach(() => rm(cwd, { recursive: true, force: true }));

describe('readSettings', () => {
  it('takes meshdoh.yaml of the working folder, under the variables, under the flags', async () => {
    await writeFile(join(cwd, 'meshdoh.yaml'), 'ttl: { vip: 1, owned: 2, negative: 3 }');
    const environment = { MESHDOH_TTL_OWNED: '20', MESHDOH_TTL_NEGATIVE: '30' };
    const { ttl } = readSettings({ ttlNegative: '300' }, { cwd, environment });
    expect(ttl).toEqual({ vip: 1, owned: 20, negative: 300 });
  });

  it.each([
    ['--settings', { settings: 'named.yaml' }, {}],
    ['MESHDOH_SETTINGS', {}, { MESHDOH_SETTINGS: 'named.yaml' }],
  ])('takes the file that %s names, and says who named one that is not there', async (origin, flags, environment) => {
    expect(() => readSettings(flags, { cwd, environment })).toThrow(
      `cannot read named.yaml (${origin}): there is no such file`,
    );
    await writeFile(join(cwd, 'named.yaml'), 'auth: none');
    expect(readSettings(flags, { cwd, environment }).auth).toBe('none');
  });

  it('takes an empty MESHDOH_SETTINGS for none', () => {
    expect(readSettings({}, { cwd, environment: { MESHDOH_SETTINGS: '' } }).auth).toBe('tokens');
  });

  it('lets the file win over what a command presets', async () => {
    const preset = { store: './kept', auth: 'none' };
    await writeFile(join(cwd, 'meshdoh.yaml'), 'auth: tokens');
    const { auth, store } = readSettings({}, { cwd, environment: {}, preset });
    expect(auth).toBe('tokens');
    expect(store).toEqual({ kind: 'folder', folder: './kept' });
  });
});
