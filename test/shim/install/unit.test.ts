import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  RESOLVER_PATH_UNIT,
  RESOLVER_UNIT,
  resolverPathUnit,
  resolverUnit,
  serviceUnit,
  UNIT,
} from '../../../src/shim/install/unit.ts';

const CONTENT = {
  node: process.execPath,
  script: '/usr/lib/meshdoh-shim/meshdoh-shim.mjs',
  settingsFile: '/etc/meshdoh/shim.conf',
  // One that there is everywhere, since it is looked up.
  user: 'daemon',
  stateDir: '/var/lib/meshdoh',
  netAdmin: true,
  lowPort: true,
  nftCapture: true,
};
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('serviceUnit', () => {
  const capabilities = (some: Partial<typeof CONTENT>) =>
    /^CapabilityBoundingSet=(.*)$/m.exec(serviceUnit({ ...CONTENT, ...some }))?.[1];

  it.each([
    [{ netAdmin: false, lowPort: false }, ''],
    [{ netAdmin: true, lowPort: false }, 'CAP_NET_ADMIN'],
    [{ netAdmin: false, lowPort: true }, 'CAP_NET_BIND_SERVICE'],
  ])('has the capabilities that it needs and no other: %j', (needs, expected) => {
    expect(capabilities(needs)).toBe(expected);
  });

  it('gives DNS back as root however it ended, and ends a hung shim in time to do so within 5 s', () => {
    const unit = serviceUnit(CONTENT);
    expect(unit).toMatch(/^ExecStopPost=-\+\/usr\/sbin\/nft delete table inet mesh_dns$/m);
    expect(unit).toMatch(/^ExecStopPost=-\+.* release --settings \/etc\/meshdoh\/shim\.conf$/m);
    expect(unit).toMatch(/^WatchdogSignal=SIGKILL$/m);
    expect(Number(/^WatchdogSec=(\d+)$/m.exec(unit)?.[1])).toBeLessThan(5);
  });

  it('touches no nft where it does not capture by it', () => {
    expect(serviceUnit({ ...CONTENT, nftCapture: false })).not.toContain('mesh_dns');
  });

  it('may write its state, wherever that is', () => {
    expect(serviceUnit(CONTENT)).toContain('StateDirectory=meshdoh\n');
    expect(serviceUnit({ ...CONTENT, stateDir: '/srv/shim' })).toContain('ReadWritePaths=/srv/shim\n');
  });
});

describe.runIf(hasSystemd)('the units, by systemd-analyze', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'meshdoh-units-'));
    writeFileSync(join(folder, UNIT), serviceUnit(CONTENT));
    writeFileSync(join(folder, RESOLVER_PATH_UNIT), resolverPathUnit(CONTENT));
    writeFileSync(join(folder, RESOLVER_UNIT), resolverUnit(CONTENT));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('have no mistake', () => {
    const units = [UNIT, RESOLVER_PATH_UNIT, RESOLVER_UNIT].map((name) => join(folder, name));
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
    expect(status).toBe(0);
  });

  it('expose little', () => {
    const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', join(folder, UNIT)], {
      encoding: 'utf8',
    });
    expect(Number(/exposure level for .*: ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(2.5);
  });
});
