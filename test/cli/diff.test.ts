import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diffCommand } from '../../src/cli/diff.ts';
import { deadline, serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb, type Surroundings, temporaryFolder } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
  await server.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
});
afterAll(() => server.close());

const diff = (words: readonly string[], { environment = {}, ...rest }: Surroundings = {}): Promise<Ran> =>
  runVerb(diffCommand, words, { environment: { MESHDOH_SERVER: server.url, ...environment }, ...rest });

const manifest = (name: string, port = 80): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.internal]
  resolution: DNS
  ports: [{ name: http, number: ${port}, protocol: HTTP }]
`;

describe('diff', () => {
  it('says nothing and exits 0 where apply would change nothing', async () => {
    expect(await diff(['-f', '-'], { stdin: manifest('auto') })).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  });

  it('prints what apply would change as kubectl does, exits 1, and changes nothing', async () => {
    const { stdout, stderr, exitCode } = await diff(['-f', '-'], { stdin: manifest('auto', 8080) });
    const file = 'networking.istio.io.v1.ServiceEntry.default.auto';
    expect([stderr, exitCode]).toEqual(['', 1]);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      `diff -u -N LIVE/${file} MERGED/${file}`,
      `--- LIVE/${file}`,
      `+++ MERGED/${file}`,
    ]);
    expect(lines[3]).toMatch(/^@@ -\d+,\d+ \+\d+,\d+ @@$/);
    const changed = lines.slice(3).filter((line) => /^[+-]/.test(line));
    expect(changed).toEqual([
      '-  generation: 1',
      '+  generation: 2',
      '-      number: 80',
      '+      number: 8080',
      '-  observedGeneration: 1',
      '+  observedGeneration: 2',
    ]);
    const stored = await server.registry.entries.get('default', 'auto', deadline());
    expect(stored?.spec.ports?.[0]?.number).toBe(80);
  });

  it('shows an object that is not there yet as all new, with the virtual IP it would get', async () => {
    const { stdout, exitCode } = await diff(['-f', '-'], { stdin: manifest('new') });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^@@ -0,0 \+1,\d+ @@$/m);
    expect(stdout).toMatch(/^\+ {6}value: 240\.240\.\d+\.\d+$/m);
    expect(stdout.split('\n').filter((line) => line.startsWith('-'))).toEqual([
      '--- LIVE/networking.istio.io.v1.ServiceEntry.default.new',
    ]);
  });

  it('shows the others when one is refused, and exits 2', async () => {
    const stdin = `${manifest('auto', 70_000)}---\n${manifest('other')}`;
    const { stdout, stderr, exitCode } = await diff(['-f', '-'], { stdin });
    expect(stdout).toContain('MERGED/networking.istio.io.v1.ServiceEntry.default.other');
    expect(stderr).toMatch(/^Error from server \(Invalid\): error when diffing "STDIN" \(document 1\): /);
    expect(exitCode).toBe(2);
  });

  it.each<[string, string[], string]>([
    ['no file', ['-f', 'absent.yaml'], 'error: cannot read absent.yaml: there is no such file\n'],
    ['an empty one', ['-f', '-'], 'error: no objects passed to diff\n'],
  ])('exits 2 on %s', async (_, words, problem) => {
    expect(await diff(words)).toEqual({ stdout: '', stderr: problem, exitCode: 2 });
  });

  it('exits 2 when no server answers', async () => {
    const { exitCode } = await diff(['-f', '-', '--server', 'http://127.0.0.1:1'], { stdin: manifest('auto') });
    expect(exitCode).toBe(2);
  });

  it('colours the lines on a terminal that has colours', async () => {
    const { stdout } = await diff(['-f', '-'], { stdin: manifest('auto', 8080), hasColours: true });
    expect(stdout).toContain('\x1b[31m-      number: 80\x1b[0m\n\x1b[32m+      number: 8080\x1b[0m\n');
  });

  it.each([
    [0, 0],
    [1, 1],
    [3, 2],
  ])(
    'runs the program of KUBECTL_EXTERNAL_DIFF on two folders; its exit code %i becomes %i',
    async (code, exitCode) => {
      const cwd = await temporaryFolder();
      const script = join(cwd, 'compare.sh');
      await writeFile(script, `#!/bin/sh\nls "$2" "$3" > ${cwd}/seen\necho "$1" >> ${cwd}/seen\nexit ${code}\n`, {
        mode: 0o755,
      });
      const environment = { KUBECTL_EXTERNAL_DIFF: `${script} --plain ;rm` };
      const ran = await diff(['-f', '-'], { stdin: manifest('auto', 8080), environment });
      expect(ran.exitCode).toBe(exitCode);
      const { readFile } = await import('node:fs/promises');
      const seen = await readFile(join(cwd, 'seen'), 'utf8');
      expect(seen.match(/networking\.istio\.io\.v1\.ServiceEntry\.default\.auto/g)).toHaveLength(2);
      expect(seen).toMatch(/--plain\n$/);
    },
  );

  it('exits 2 where that program cannot be run', async () => {
    const environment = { KUBECTL_EXTERNAL_DIFF: '/nonexistent/diff' };
    const { stderr, exitCode } = await diff(['-f', '-'], { stdin: manifest('auto', 8080), environment });
    expect([stderr, exitCode]).toEqual([expect.stringContaining('cannot run KUBECTL_EXTERNAL_DIFF'), 2]);
  });
});
