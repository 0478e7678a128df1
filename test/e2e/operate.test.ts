import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, type RunningStart, removeFolder, runStart } from '../support/running-start.ts';
import { normalized, pattern, type Step, stepsOf } from './operate-session.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCH = join(ROOT, 'src/cli/launch.mjs');
const NO_UPSTREAM = ['--upstreams', ''];

const steps = stepsOf(await readFile(join(ROOT, 'docs/operate.md'), 'utf8'));
const isStart = ({ command }: Step): boolean => command.startsWith('meshdoh start');
const hasCurl = spawnSync('curl', ['--version']).status === 0;

let bin: string;
let folder: string;
let server: RunningStart;
/** Of the document, and of this run. */
let ports: readonly (readonly [string, string])[];

beforeAll(async () => {
  [bin, folder] = await Promise.all([makeFolder(), makeFolder()]);
  await writeFile(join(bin, 'meshdoh'), `#!/bin/sh\nexec "${process.execPath}" "${LAUNCH}" "$@"\n`, { mode: 0o755 });
  const [start] = steps.filter(isStart);
  const flags = (start?.command ?? '').split(' ').slice(2);
  server = await runStart(folder, [...flags, '--metrics', '127.0.0.1:0', ...NO_UPSTREAM]);
  ports = [
    [':8053', `:${new URL(server.httpUrl).port}`],
    [':8443', `:${server.httpsPort}`],
    [':15053', `:${server.dnsPort}`],
    [':9153', `:${/127\.0\.0\.1:(\d+)\/metrics/.exec(server.greeting)?.[1]}`],
  ];
});

afterAll(async () => {
  await server?.kill('SIGKILL');
  await Promise.all([bin, folder].map(removeFolder));
});

const asRun = (text: string): string =>
  ports.reduce((changed, [written, real]) => changed.replaceAll(written, real), text);
const asWritten = (text: string): string =>
  ports.reduce((changed, [written, real]) => changed.replaceAll(real, written), text);

/** What the command prints, on both streams. */
function outputOf({ command }: Step): string {
  const { stdout, stderr, error } = spawnSync('sh', ['-c', asRun(command)], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env.PATH}` },
    encoding: 'utf8',
  });
  if (error) throw error;
  return asWritten(stdout + stderr);
}

describe('the session of docs/operate.md', () => {
  it('begins with a server, as it is shown', () => {
    const [first, ...others] = steps;
    expect(first && isStart(first)).toBe(true);
    expect(others.some(isStart)).toBe(false);
    expect(normalized(asWritten(server.greeting))).toMatch(pattern(first?.output ?? ''));
  });

  for (const step of steps.filter((one) => !isStart(one))) {
    // npm alone does not bring it, and what follows does not depend on what it asks.
    const isMissing = step.command.startsWith('curl ') && !hasCurl;
    it.skipIf(isMissing)(`goes on in line ${step.line} with ${step.command.split('\n', 1)[0]}`, () => {
      expect(normalized(outputOf(step))).toMatch(pattern(step.output));
    });
  }

  it('leaves nothing on the server’s stderr', () => {
    expect(server.stderr()).toBe('');
  });
});
