import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureCertificate } from '../src/cli/certificate.ts';
import { buildShim } from '../src/shim/build.mjs';
import { isInstalled } from './doh/server.ts';
import { type Child, cpuTime, freePort, peakMemory, run } from './measure/child.ts';
import { figure, median, megabytes, print, printMachine, printTable, spread } from './measure/report.ts';
import { untilAnswered } from './shim/ask.ts';
import { type Load, load, type Shape } from './shim/load.ts';
import {
  CACHING,
  dgramEcho,
  FORWARDING,
  OVER_TCP,
  ourShim,
  type Peer,
  type Place,
  startEndpoint,
} from './shim/peers.ts';
import { NAMES } from './shim/zone.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    /** Shows that everything works; its figures mean little. */
    quick: { type: 'boolean', default: false },
  },
});
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 1 : 3;

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const START_MS = 20_000;
const LOW_RATE = 300;
/** Share of the time for which a program may have waited for its core. */
const MOST_DISTURBANCE = 0.1;
const DNSPERF = { command: 'dnsperf', package: 'dnsperf' };
const OURS = ourShim.name;

interface Running {
  readonly name: string;
  readonly port: number;
  readonly child: Child;
  readonly startMs: number;
}

/** Loads by program, round by round. */
type Loads = ReadonlyMap<string, readonly Load[]>;

const disturbances: number[] = [];

function installed(peers: readonly Peer[]): Peer[] {
  const missing = peers.flatMap(({ needs }) => (needs && !isInstalled(needs) ? [needs] : []));
  if (missing.length > 0) {
    const packages = missing.map((one) => one.package).join(' ');
    print(`left out: ${missing.map(({ command }) => command).join(', ')}; to compare: apt-get install ${packages}`);
  }
  return peers.filter(({ needs }) => !needs || isInstalled(needs));
}

async function startOne(peer: Peer, place: Place): Promise<Running> {
  const port = await freePort();
  const started = performance.now();
  const child = await peer.start(port, place);
  const startMs = await untilAnswered(port, NAMES[0] ?? '', START_MS).catch((error: unknown) => {
    throw new Error(`${peer.name}:\n${child.output.slice(-2000)}`, { cause: error });
  });
  return { name: peer.name, port, child, startMs: Math.max(startMs, performance.now() - started) };
}

async function startAll(peers: readonly Peer[], place: Place): Promise<Running[]> {
  const running: Running[] = [];
  for (const peer of installed(peers)) running.push(await startOne(peer, place));
  return running;
}

const stopAll = (running: readonly Running[]): Promise<unknown> =>
  Promise.all(running.map(({ child }) => child.stop()));

/** A B C … A B C …: what changes on the machine meanwhile meets all of them. */
async function interleave(running: readonly Running[], shape: Shape, place: Place): Promise<Loads> {
  const at = { folder: place.folder, core: LOAD_CORE, seconds };
  const results = new Map<string, Load[]>(running.map(({ name }) => [name, []]));
  for (const { child, port } of running) await load(child, port, shape, { ...at, seconds: 1 });
  for (let round = 0; round < rounds; round++) {
    for (const { name, child, port } of running) {
      const [started, { waited }] = [performance.now(), cpuTime(child.pid)];
      results.get(name)?.push(await load(child, port, shape, at));
      disturbances.push((cpuTime(child.pid).waited - waited) / ((performance.now() - started) * 1000));
    }
  }
  return results;
}

function ratios(loads: Loads, of: string, to: string, figureOf: (one: Load) => number): number[] {
  const [above = [], below = []] = [loads.get(of), loads.get(to)];
  return above.map((one, round) => figureOf(one) / figureOf(below[round] ?? one)).filter(Number.isFinite);
}

const perSecond = (one: Load): number => one.perSecond;

interface Goal {
  readonly what: string;
  readonly values: readonly number[];
  readonly bound: number;
  readonly atMost?: boolean;
}

/** Against a peer that was not left out. */
const goalOf = (loads: Loads, what: string, peer: string, bound: number): Goal[] =>
  loads.has(peer) ? [{ what: `${what} ÷ ${peer}`, values: ratios(loads, OURS, peer, perSecond), bound }] : [];

function printLoads(title: string, loads: Loads, reference: string): void {
  const to = loads.has(reference) ? reference : OURS;
  const rows = [...loads].map(([name, all]) => [
    name,
    spread(ratios(loads, name, to, perSecond)),
    spread(all.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    spread(ratios(loads, name, to, ({ cpuMicroseconds }) => cpuMicroseconds)),
    `${figure(median(all.map(({ lostShare }) => lostShare)) * 100)} %`,
  ]);
  printTable(title, ['program', `q/s ÷ ${to}`, 'CPU µs/query', `CPU ÷ ${to}`, 'lost'], rows);
}

async function cacheHits(place: Place): Promise<Goal[]> {
  const running = await startAll([...CACHING, dgramEcho, ourShim], place);
  const idle = residentOf(running);
  const loads = await interleave(running, { mode: 'udp', clients: 10, outstanding: 200 }, place);
  printLoads('UDP, answered from the cache', loads, 'dnsmasq');
  const memory = running.map(({ name, child }, index) => [
    name,
    megabytes(idle[index] ?? 0),
    megabytes(peakMemory(child.pid)),
  ]);
  printTable('resident memory', ['program', 'idle', 'most under load'], memory);
  const ours = running.findIndex(({ name }) => name === OURS);
  const [idleMb, loadMb] = [(idle[ours] ?? 0) / 2 ** 20, peakMemory(running[ours]?.child.pid ?? 0) / 2 ** 20];
  await stopAll(running);
  return [
    ...goalOf(loads, 'UDP cache hit, q/s', 'dnsmasq', 1.25),
    ...goalOf(loads, 'UDP cache hit, q/s', 'dnss', 1.4),
    ...goalOf(loads, 'UDP cache hit, q/s', dgramEcho.name, 0.9),
    { what: 'resident memory idle, MB', values: [idleMb], bound: 50, atMost: true },
    { what: 'resident memory under load, MB', values: [loadMb], bound: 75, atMost: true },
  ];
}

const residentOf = (running: readonly Running[]): number[] =>
  running.map(({ child }) => {
    const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1')) ?? [];
    return Number(kilobytes) * 1024;
  });

async function overTcp(place: Place): Promise<Goal[]> {
  const running = await startAll([...OVER_TCP, ourShim], place);
  const loads = await interleave(running, { mode: 'tcp', clients: 10, outstanding: 100 }, place);
  printLoads('TCP, answered from the cache', loads, 'unbound');
  await stopAll(running);
  return goalOf(loads, 'TCP cache hit, q/s', 'unbound', 3);
}

async function misses(place: Place): Promise<Goal[]> {
  const running = await startAll([...FORWARDING, ourShim], place);
  const loads = await interleave(running, { mode: 'udp', clients: 10, outstanding: 90, isMiss: true }, place);
  printLoads('UDP, every name new: over DoH', loads, 'dnss');
  const added = await addedLatency(running, place);
  await stopAll(running);
  const goals = goalOf(loads, 'miss, q/s', 'dnss', 1);
  return added.length === 0
    ? goals
    : [...goals, { what: `miss at ${LOW_RATE}/s, added p50 ÷ dnss`, values: added, bound: 1, atMost: true }];
}

/** What a program adds to the time that the endpoint takes by itself, as a ratio to what dnss adds. */
async function addedLatency(running: readonly Running[], place: Place): Promise<number[]> {
  const p50 = new Map<string, number[]>();
  const targets = [
    { name: 'direct', target: `doh:${place.dohPort}` },
    ...running.map(({ name, port }) => ({ name, target: String(port) })),
  ];
  for (let round = 0; round < rounds; round++) {
    for (const { name, target } of targets)
      p50.set(name, [...(p50.get(name) ?? []), await medianLatency(target, place)]);
  }
  const rows = [...p50].map(([name, all]) => [name, spread(all)]);
  printTable(`at ${LOW_RATE} queries a second, every name new`, ['asked', 'p50 µs'], rows);
  const [direct = [], ours = [], dnss = []] = ['direct', OURS, 'dnss'].map((name) => p50.get(name));
  const over = (all: readonly number[], round: number) => (all[round] ?? Number.NaN) - (direct[round] ?? Number.NaN);
  return ours
    .map((_, round) => over(ours, round) / over(dnss, round))
    .filter((ratio) => Number.isFinite(ratio) && ratio > 0);
}

async function medianLatency(target: string, { folder }: Place): Promise<number> {
  const script = fileURLToPath(new URL('shim/latency.ts', import.meta.url));
  const argv = [process.execPath, script, target, String(LOW_RATE), String(seconds)] as [string, ...string[]];
  const output = await run({ argv, cwd: folder, core: LOAD_CORE }, seconds * 1000 + START_MS);
  const { errors, p50 } = JSON.parse(output) as { errors: number; p50: number };
  if (errors > LOW_RATE * seconds * 0.01) throw new Error(`${target}: ${errors} queries without an answer`);
  return p50;
}

/** Above a Node that does nothing but answer. */
async function startTimes(place: Place): Promise<Goal[]> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < Math.max(rounds, 3); round++) {
    for (const peer of [dgramEcho, ourShim]) {
      const running = await startOne(peer, place);
      times.set(peer.name, [...(times.get(peer.name) ?? []), running.startMs]);
      await running.child.stop();
      await sleep(50);
    }
  }
  printTable(
    'from start to first answer',
    ['program', 'ms'],
    [...times].map(([name, all]) => [name, spread(all)]),
  );
  const [ours = [], bare = []] = [times.get(OURS), times.get(dgramEcho.name)];
  const above = ours.map((ms, round) => ms - (bare[round] ?? Number.NaN));
  return [{ what: 'start to first answer above bare Node, ms', values: above, bound: 30, atMost: true }];
}

function printGoals(goals: readonly Goal[]): void {
  print('');
  for (const { what, values: all, bound, atMost = false } of goals.filter((goal) => goal.values.length > 0)) {
    const reached = atMost ? median(all) <= bound : median(all) >= bound;
    print(`goal: ${what}: ${spread(all)}, at ${atMost ? 'most' : 'least'} ${bound}: ${reached ? 'reached' : 'missed'}`);
  }
}

async function measure(folder: string): Promise<void> {
  const bundle = join(folder, 'meshdoh-shim.mjs');
  await buildShim(bundle);
  const { certPath, keyPath, caPath } = await ensureCertificate(folder, ['localhost', '127.0.0.1']);
  const ports = { dohPort: await freePort(), udpPort: await freePort() };
  const place: Place = { folder, cert: certPath, key: keyPath, ca: caPath, core: SERVER_CORE, bundle, ...ports };
  const endpoint = await startEndpoint(place, LOAD_CORE);
  await untilAnswered(place.udpPort, NAMES[0] ?? '', START_MS);
  const goals = [
    ...(await cacheHits(place)),
    ...(await overTcp(place)),
    ...(await misses(place)),
    ...(await startTimes(place)),
  ];
  await endpoint.stop();
  printGoals(goals);
  const disturbance = median(disturbances);
  const verdict = disturbance > MOST_DISTURBANCE ? 'the machine is too busy for these figures' : 'quiet enough';
  print(`programs were ready to run but had to wait for ${figure(disturbance * 100)} % of the time: ${verdict}`);
}

printMachine();
print(
  `${rounds} interleaved rounds of ${figure(seconds)} s, median (least–most); program on core 0, load and endpoint on core 1`,
);
const needed = [DNSPERF, { command: 'dnsdist', package: 'dnsdist' }, { command: 'taskset', package: 'util-linux' }];
const missing = needed.filter((tool) => !isInstalled(tool));
if (process.platform !== 'linux' || availableParallelism() < 2 || missing.length > 0) {
  const line = missing.length > 0 ? `, and apt-get install ${missing.map((one) => one.package).join(' ')}` : '';
  print(`this needs Linux, two cores${line}`);
  process.exitCode = 1;
} else {
  const folder = await mkdtemp(join(tmpdir(), 'meshdoh-bench-'));
  await measure(folder).finally(() => rm(folder, { recursive: true, force: true }));
}
