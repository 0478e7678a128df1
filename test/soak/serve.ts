/**
 * `meshdoh serve` under load for long: no error, and memory that does not grow. Ends with 1 when either does not hold.
 *
 *     node test/soak/serve.ts --seconds 120
 *
 * In a minute in all, for every change:
 *
 *     node test/soak/serve.ts --seconds 25 --warm-up 8 --entries 1000 --rate 500 --growth 3 --resident-growth 10
 */

import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Child, cpuTime, run } from '../../bench/measure/child.ts';
import { ensureCertificate } from '../../src/cli/certificate.ts';
import { type Clients, openClients } from './clients.ts';
import { type Inspector, openInspector } from './inspector.ts';
import { askAtRate, type Tally } from './open-loop.ts';
import { everyQuestion, hostName, mixture } from './questions.ts';
import { growthPerMinute, type Sample } from './trend.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    entries: { type: 'string', default: '10000' },
    /** Queries a second. */
    rate: { type: 'string', default: '1000' },
    /** Seconds before memory is looked at: caches fill, and the heap finds its size. */
    'warm-up': { type: 'string', default: '30' },
    /** Percent a minute that memory may grow. */
    growth: { type: 'string', default: '1' },
    /** The same of resident memory, whose ups and downs say more about a short time than a leak would. */
    'resident-growth': { type: 'string', default: '1' },
  },
});
const seconds = Number(values.seconds);
const entries = Number(values.entries);
const perSecond = Number(values.rate);
const warmUpSeconds = Number(values['warm-up']);
const mostGrowth = Number(values.growth) / 100;
const mostResidentGrowth = Number(values['resident-growth']) / 100;

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const SAMPLES = 20;
const APPLY_MS = 600_000;
const ERRORS_SHOWN = 5;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function residentOctets(pid: number): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kilobytes) * 1024;
}

interface Memory {
  /** What the program holds: a leak shows here first. */
  readonly live: Sample[];
  /** What the system has given, native memory included; it goes up and down by itself. */
  readonly resident: Sample[];
}

/** Without garbage. Looking stops the server for a moment, so it is done now and then. */
async function watchMemory({ pid, inspector }: Running, until: AbortSignal): Promise<Memory> {
  const started = performance.now();
  const memory: Memory = { live: [], resident: [] };
  while (!until.aborted) {
    const live = await inspector.liveOctets();
    const at = (performance.now() - started) / 1000;
    memory.live.push({ at, octets: live });
    memory.resident.push({ at, octets: await residentOctets(pid) });
    await sleep((seconds * 1000) / SAMPLES);
  }
  return memory;
}

const manifest = (): string =>
  Array.from({ length: entries }, (_, n) =>
    JSON.stringify({
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: `service-${n}` },
      spec: { hosts: [hostName(n)], ports: [{ name: 'http', number: 80, protocol: 'HTTP' }], resolution: 'DNS' },
    }),
  ).join('\n---\n');

/** In a thread of its own: however busy the clients are, an upstream that is slow would be the server's fault. */
async function startUpstream(): Promise<{ readonly url: string; stop(): Promise<number> }> {
  const worker = new Worker(new URL('upstream.ts', import.meta.url));
  const [url] = (await once(worker, 'message')) as [string];
  return { url, stop: () => worker.terminate() };
}

interface Running {
  readonly pid: number;
  readonly port: number;
  readonly ca: string;
  readonly inspector: Inspector;
  stop(): Promise<void>;
}

async function startServer(folder: string, upstream: string): Promise<Running> {
  const { certPath, keyPath, ca, caPath } = await ensureCertificate(folder, []);
  const tls = ['--cert', certPath, '--key', keyPath];
  const settings = ['--store', 'memory', '--auth', 'none', '--upstreams', upstream, '--listen', '127.0.0.1:0'];
  const server = new Child({
    argv: [process.execPath, '--inspect=127.0.0.1:0', LAUNCH, 'serve', ...settings, ...tls],
    cwd: folder,
  });
  const [, port] = await server.says(/listens on https:\/\/127\.0\.0\.1:(\d+)/);
  const [, inspectorUrl = ''] = await server.says(/Debugger listening on (\S+)/);
  await writeFile(join(folder, 'entries.yaml'), manifest());
  const apply = ['apply', '-f', 'entries.yaml', '--cacert', caPath];
  await run({ argv: [process.execPath, LAUNCH, ...apply], cwd: folder }, APPLY_MS);
  return {
    pid: server.pid,
    port: Number(port),
    ca,
    inspector: await openInspector(inspectorUrl),
    stop: () => server.stop(),
  };
}

async function load({ all }: Clients, server: Running): Promise<{ tallies: Tally[]; memory: Memory }> {
  const everything = await askAtRate(all, everyQuestion(entries), { perSecond });
  print(`${everything.asked} queries, each once: ${everything.errors.length} errors`);
  const warmUp = await askAtRate(all, mixture(entries), { perSecond, seconds: warmUpSeconds });
  print(`${warmUp.asked} queries to warm up: ${warmUp.errors.length} errors`);
  const measuring = new AbortController();
  const memory = watchMemory(server, measuring.signal);
  const before = cpuTime(server.pid);
  const measured = await askAtRate(all, mixture(entries), { perSecond, seconds });
  const after = cpuTime(server.pid);
  measuring.abort();
  const percent = (microseconds: number) => (microseconds / 1e4 / seconds).toFixed(0);
  print(
    `the server used ${percent(after.used - before.used)} % of a core, ` +
      `and had to wait for one for ${percent(after.waited - before.waited)} % of the time`,
  );
  return { tallies: [everything, warmUp, measured], memory: await memory };
}

/** Whether it grows by less than that share a minute. */
function isSteady(what: string, samples: readonly Sample[], most: number): boolean {
  const growth = growthPerMinute(samples);
  const megabytes = samples.map(({ octets }) => octets / 2 ** 20);
  print(
    `${what} memory ${Math.min(...megabytes).toFixed(1)} to ${Math.max(...megabytes).toFixed(1)} MB ` +
      `in ${samples.length} samples, ${(growth * 100).toFixed(2)} % a minute, at most ${most * 100} %`,
  );
  return growth < most;
}

/** What was found, and whether it is good. */
function judge(tallies: readonly Tally[], { live, resident }: Memory): boolean {
  const asked = tallies.reduce((sum, tally) => sum + tally.asked, 0);
  const errors = tallies.flatMap((tally) => tally.errors);
  print(`${asked} queries, ${errors.length} errors`);
  for (const [error, those = []] of Object.entries(Object.groupBy(errors, (text) => text)).slice(0, ERRORS_SHOWN)) {
    print(`  ${those.length} times: ${error}`);
  }
  const steady = [isSteady('live', live, mostGrowth), isSteady('resident', resident, mostResidentGrowth)];
  return errors.length === 0 && !steady.includes(false);
}

async function soak(folder: string): Promise<boolean> {
  const upstream = await startUpstream();
  const server = await startServer(folder, upstream.url);
  print(`${entries} entries applied; ${perSecond} queries a second for ${warmUpSeconds} s and then ${seconds} s`);
  const clients = openClients(server.port, server.ca);
  try {
    const { tallies, memory } = await load(clients, server);
    return judge(tallies, memory);
  } finally {
    clients.close();
    await upstream.stop();
    server.inspector.close();
    await server.stop();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'meshdoh-soak-'));
const isGood = await soak(folder).finally(() => rm(folder, { recursive: true, force: true }));
process.exitCode = isGood ? 0 : 1;
