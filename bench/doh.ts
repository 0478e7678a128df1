import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureCertificate } from '../src/cli/certificate.ts';
import { measureCachedAnswer } from './doh/cached-answer.ts';
import { H2LOAD, TASKSET, WRK } from './doh/load.ts';
import { canned, meshdoh } from './doh/our-servers.ts';
import { PEERS } from './doh/peers.ts';
import { Rounds, ratios, ratioText, type Series } from './doh/rounds.ts';
import { isInstalled, type Place, type Requirement, type Server, startAll, stopAll } from './doh/server.ts';
import { figure, median, print, printMachine, printTable, spread } from './measure/report.ts';

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
/** Share of the time; threads of one server that wait for each other account for some. */
const MOST_DISTURBANCE = 0.1;
const [OURS, BASELINE, REFERENCE] = [meshdoh.name, canned.name, 'dnsdist'];

const installLine = (missing: readonly Requirement[]): string =>
  `apt-get install --no-install-recommends ${missing.map((one) => one.package).join(' ')}`;

/** Those that can run here; the others are named. */
function installed(servers: readonly Server[]): Server[] {
  const missing = servers.flatMap(({ needs }) => (needs && !isInstalled(needs) ? [needs] : []));
  if (missing.length > 0) {
    print(`left out: ${missing.map(({ command }) => command).join(', ')}; to compare: ${installLine(missing)}`);
  }
  return servers.filter(({ needs }) => !needs || isInstalled(needs));
}

const rows = (names: Iterable<string>, cells: (name: string) => string[]): string[][] =>
  [...names].map((name) => [name, ...cells(name)]);

interface Goal {
  readonly what: string;
  readonly values: readonly number[];
  readonly bound: number;
  readonly atMost?: boolean;
}

function printGoals(goals: readonly Goal[]): void {
  print('');
  for (const { what, values, bound, atMost = false } of goals.filter(({ values }) => values.length > 0)) {
    const reached = atMost ? median(values) <= bound : median(values) >= bound;
    print(
      `goal: ${what}: ${spread(values)}, at ${atMost ? 'most' : 'least'} ${bound}: ${reached ? 'reached' : 'missed'}`,
    );
  }
}

function throughputRows({ perSecond, cpu }: { perSecond: Series; cpu: Series }): string[][] {
  return rows(perSecond.keys(), (name) => [
    ratioText(perSecond, name, REFERENCE),
    ratioText(perSecond, name, BASELINE),
    spread(cpu.get(name) ?? []),
    ratioText(cpu, name, REFERENCE),
  ]);
}

const THROUGHPUT_HEAD = ['server', `q/s ÷ ${REFERENCE}`, `q/s ÷ ${BASELINE}`, 'CPU µs/query', `CPU ÷ ${REFERENCE}`];

async function measureH2(servers: readonly Server[], place: Place, measured: Rounds): Promise<Goal[]> {
  const running = await startAll(servers, 'h2', place);
  const apart = await measured.throughput(running, 'h2', { connections: 50, streams: 1 });
  printTable('HTTP/2, TLS: 50 connections, 1 query on each', THROUGHPUT_HEAD, throughputRows(apart));
  const together = await measured.throughput(running, 'h2', { connections: 4, streams: 25 });
  printTable('HTTP/2, TLS: 4 connections, 25 queries on each', THROUGHPUT_HEAD, throughputRows(together));
  // Queries that come one by one cost what they cost there, not what they cost in bundles of 25.
  const { p50, p99 } = await measured.latency(running, apart.perSecond);
  printTable(
    "HTTP/2, TLS: at half of each server's own most with 50 connections",
    ['server', 'p50 µs', `p50 ÷ ${REFERENCE}`, 'p99 µs', `p99 ÷ ${REFERENCE}`, `p99 ÷ ${BASELINE}`],
    rows(p99.keys(), (name) => [
      spread(p50.get(name) ?? []),
      ratioText(p50, name, REFERENCE),
      spread(p99.get(name) ?? []),
      ratioText(p99, name, REFERENCE),
      ratioText(p99, name, BASELINE),
    ]),
  );
  await stopAll(running);
  return [
    { what: `h2, 50 × 1, q/s ÷ ${REFERENCE}`, values: ratios(apart.perSecond, OURS, REFERENCE), bound: 0.55 },
    { what: `h2, 4 × 25, q/s ÷ ${REFERENCE}`, values: ratios(together.perSecond, OURS, REFERENCE), bound: 0.4 },
    { what: `h2, 50 × 1, q/s ÷ ${BASELINE}`, values: ratios(apart.perSecond, OURS, BASELINE), bound: 0.9 },
    { what: `h2, 4 × 25, q/s ÷ ${BASELINE}`, values: ratios(together.perSecond, OURS, BASELINE), bound: 0.9 },
    { what: `h2, p99 at half load ÷ ${REFERENCE}`, values: ratios(p99, OURS, REFERENCE), bound: 3, atMost: true },
  ];
}

async function measureH1(servers: readonly Server[], place: Place, measured: Rounds): Promise<Goal[]> {
  if (!isInstalled(WRK)) {
    print(`\nleft out: HTTP/1.1, which is measured with wrk: ${installLine([WRK])}`);
    return [];
  }
  const running = await startAll(servers, 'h1', place);
  const most = await measured.throughput(running, 'h1', { connections: 50, streams: 1 });
  printTable('HTTP/1.1 in clear: 50 connections', THROUGHPUT_HEAD, throughputRows(most));
  await stopAll(running);
  return [{ what: `h1, q/s ÷ ${REFERENCE}`, values: ratios(most.perSecond, OURS, REFERENCE), bound: 1 }];
}

/** Takes no server: what an answer costs before anybody carries it. */
function measureCodec(): Goal[] {
  const { cached, codec } = measureCachedAnswer(Math.max(3, rounds));
  const codecRatios = cached.map((time, round) => time / (codec[round] ?? Number.NaN));
  printTable(
    'An answer, no I/O',
    ['way', 'ns', '÷ dns-packet'],
    [
      ['octets from the cache', spread(cached), spread(codecRatios)],
      ['dns-packet: decode, encode', spread(codec), '1'],
    ],
  );
  return [{ what: 'cached answer ÷ dns-packet', values: codecRatios, bound: 0.12, atMost: true }];
}

async function measure(folder: string): Promise<void> {
  const servers = [...installed(PEERS), canned, meshdoh];
  const { certPath, keyPath, caPath } = await ensureCertificate(folder, []);
  const place = { folder, cert: certPath, key: keyPath, ca: caPath, core: SERVER_CORE };
  const measured = new Rounds(rounds, seconds, { folder, core: LOAD_CORE });
  const codec = measureCodec();
  const h2 = await measureH2(servers, place, measured);
  const h1 = await measureH1(servers, place, measured);
  printGoals([...h2, ...h1, ...codec]);
  const disturbance = measured.disturbance;
  const verdict = disturbance > MOST_DISTURBANCE ? 'the machine is too busy for these figures' : 'quiet enough';
  print(`servers were ready to run but had to wait for ${figure(disturbance * 100)} % of the time: ${verdict}`);
}

printMachine();
print(`${rounds} interleaved rounds of ${figure(seconds)} s, median (least–most); server on core 0, load on core 1`);
const missing = [H2LOAD, TASKSET].filter((tool) => !isInstalled(tool));
if (process.platform !== 'linux' || availableParallelism() < 2 || missing.length > 0) {
  print(`this needs Linux, two cores${missing.length > 0 ? `, and ${installLine(missing)}` : ''}`);
  process.exitCode = 1;
} else {
  const folder = await mkdtemp(join(tmpdir(), 'meshdoh-bench-'));
  await measure(folder).finally(() => rm(folder, { recursive: true, force: true }));
}
