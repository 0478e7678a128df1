import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Child, cpuTime, peakMemory, run } from '../measure/child.ts';
import { figure, megabytes, print, printTable } from '../measure/report.ts';
import { STORES, type StoreKind, withFolder } from './many-entries.ts';
import { printProfile } from './profile.ts';
import { numberedEntry } from './registry.ts';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const MANIFEST = 'entries.yaml';
const PROFILES = 'profiles';
const LONGEST_MS = 900_000;

const meshdoh = (...args: string[]): [string, ...string[]] => [process.execPath, LAUNCH, ...args];

/** Gives the command a terminal, so that it draws its progress; `script` is part of util-linux. */
const inTerminal = (argv: readonly string[]): [string, ...string[]] => [
  'script',
  ...['--quiet', '--return', '--command', argv.map((word) => `'${word}'`).join(' '), '/dev/null'],
];

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const started = performance.now();
  const value = await work();
  return { value, ms: performance.now() - started };
}

async function writeManifest(folder: string, count: number): Promise<void> {
  const documents = Array.from({ length: count }, (_, n) => stringify(numberedEntry(n)));
  await writeFile(join(folder, MANIFEST), documents.join('---\n'));
}

/** A server of its own, in a folder where the command finds it. */
async function startServer(folder: string, store: StoreKind, profile: boolean): Promise<Child> {
  const [node, ...rest] = meshdoh(
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--store',
    store === 'memory' ? store : './store',
  );
  const flags = profile ? ['--cpu-prof', '--cpu-prof-dir', PROFILES] : [];
  const server = new Child({ argv: [node, ...flags, ...rest], cwd: folder });
  await server.says(/listens on/);
  return server;
}

async function applyFile(folder: string, store: StoreKind, count: number) {
  await writeManifest(folder, count);
  const server = await startServer(folder, store, false);
  const apply = { argv: inTerminal(meshdoh('apply', '-f', MANIFEST)), cwd: folder };
  const applied = await timed(() => run(apply, LONGEST_MS));
  const cpuMs = cpuTime(server.pid).used / 1000;
  const applyMemory = peakMemory(server.pid);
  const list = { argv: meshdoh('get', 'serviceentries', '-n', 'bench', '-o', 'name'), cwd: folder };
  const listed = await timed(() => run(list, LONGEST_MS));
  const listMemory = peakMemory(server.pid);
  await server.stop();
  const created = applied.value.match(/ created\r?$/gm)?.length ?? 0;
  const found = listed.value.match(/^serviceentry.*\/service-\d+$/gm)?.length ?? 0;
  return { store, cpuMs, applyMemory, listMemory, created, found, applyMs: applied.ms, listMs: listed.ms };
}

/** One manifest with many entries, by the command against a server: what somebody waits for who moves in. */
export async function measureCommandLine(count: number): Promise<{ errors: number }> {
  const results = [];
  for (const store of STORES) results.push(await withFolder((folder) => applyFile(folder, store, count)));
  printTable(
    `meshdoh apply of one file with ${count} entries, then meshdoh get`,
    ['store', 'apply', 'ms each', 'server CPU ms each', 'server memory', 'created', 'get', 'server memory', 'listed'],
    results.map((result) => [
      result.store,
      `${figure(result.applyMs / 1000)} s`,
      figure(result.applyMs / count),
      figure(result.cpuMs / count),
      megabytes(result.applyMemory),
      String(result.created),
      `${figure(result.listMs / 1000)} s`,
      megabytes(result.listMemory),
      String(result.found),
    ]),
  );
  return { errors: results.reduce((sum, { created, found }) => sum + (count - created) + (count - found), 0) };
}

/** Where the server's time goes while entries are applied to a folder. */
export async function profileServer(count: number): Promise<void> {
  await withFolder(async (folder) => {
    await writeManifest(folder, count);
    const server = await startServer(folder, 'folder', true);
    const { ms } = await timed(() => run({ argv: meshdoh('apply', '-f', MANIFEST), cwd: folder }, LONGEST_MS));
    await server.stop();
    print(`\n${count} applies to a folder, profiled: ${figure(ms / count)} ms each`);
    for (const file of await readdir(join(folder, PROFILES))) {
      printProfile(await readFile(join(folder, PROFILES, file), 'utf8'), count);
    }
  });
}
