import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildShim } from '../../src/shim/build.mjs';
import { createCertificate } from '../support/certificate.ts';
import { name } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import { meshTable, vipHost } from '../support/running-shim.ts';
import { type Inspector, openInspector } from './inspector.ts';
import { growthPerMinute } from './trend.ts';

// A shim under a steady load: memory must not grow and descriptors must not pile up. Needs dnsperf, and Linux.
//   node test/soak/shim.ts --seconds 60 --rate 2000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    /** Queries per second. */
    rate: { type: 'string', default: '2000' },
    /**
     * Of memory, in percent a minute after warming up; at 2,000 queries a second one percent is about an octet a query.
     * Readings differ by 2 %, which over half a minute alone makes slopes of 3 % either way: a short run allows more.
     */
    slope: { type: 'string', default: '1' },
    /** The same of resident memory, which goes up and down by itself: over a minute that says little. */
    'resident-slope': { type: 'string', default: '1' },
  },
});
const [seconds, rate] = [Number(values.seconds), Number(values.rate)];
const [mostSlope, mostResidentSlope] = [Number(values.slope), Number(values['resident-slope'])];

/** Names of which most are in the cache, and some never were. */
const REPEATED = 2_000;
/** Full long before the warm-up ends. */
const CACHE_OCTETS = 512 * 1024;
const WARM_UP_SHARE = 0.4;
const MOST_DESCRIPTORS_GROWN = 8;
const SAMPLES = 30;

/** As in the unit that `install` writes. */
const NODE_FLAGS: readonly string[] = ['--max-old-space-size=320', '--max-semi-space-size=4'];

interface Measured {
  readonly atSeconds: number;
  readonly liveOctets: number;
  readonly residentOctets: number;
  readonly descriptors: number;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function measure({ pid, inspector }: Running, atSeconds: number): Promise<Measured> {
  const liveOctets = await inspector.liveOctets();
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { atSeconds, liveOctets, residentOctets: Number(kilobytes) * 1024, descriptors };
}

interface Running {
  readonly pid: number;
  readonly port: number;
  readonly inspector: Inspector;
  stop(): void;
}

async function startShim(folder: string, endpoint: MeshEndpoint): Promise<Running> {
  await writeFile(join(folder, 'ca.pem'), endpoint.ca);
  // The bundle, as it is shipped: Node would spend more memory on the types of the sources than the shim on its work.
  const bundle = join(folder, 'meshdoh-shim.mjs');
  await buildShim(bundle);
  const settings = {
    listen: '127.0.0.1:0',
    endpoint: endpoint.url,
    'ca-file': join(folder, 'ca.pem'),
    'state-dir': join(folder, 'state'),
    'cache-bytes': String(CACHE_OCTETS),
    'metrics-listen': 'off',
    'table-interval': '2s',
    vips: 'off',
    fallback: 'none',
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', ...NODE_FLAGS, bundle, 'run', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  for (let left = 200; left > 0; left--) {
    const [, port] = /answering DNS at 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
    const [, inspectorUrl] = /Debugger listening on (\S+)/.exec(said) ?? [];
    if (port !== undefined && inspectorUrl !== undefined) {
      const inspector = await openInspector(inspectorUrl);
      const stop = () => {
        inspector.close();
        child.kill('SIGTERM');
      };
      return { pid: child.pid ?? -1, port: Number(port), inspector, stop };
    }
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`the shim does not answer:\n${said}`);
}

/** One name in twenty is new; the others are asked again and again, over UDP or TCP. */
async function queryFile(folder: string): Promise<string> {
  const path = join(folder, 'queries');
  const lines = Array.from({ length: rate * Math.min(seconds, 120) }, (_, n) =>
    n % 20 === 0 ? `new-${n}.example A` : n % 10 === 1 ? 'one.internal A' : `known-${n % REPEATED}.example AAAA`,
  );
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

async function load(port: number, queries: string, mode: 'udp' | 'tcp', perSecond: number): Promise<string> {
  const shape = ['-m', mode, '-c', '4', '-Q', String(perSecond), '-l', String(seconds), '-t', '5'];
  const dnsperf = spawn('dnsperf', ['-s', '127.0.0.1', '-p', String(port), '-d', queries, ...shape]);
  let output = '';
  for (const stream of [dnsperf.stdout, dnsperf.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const [code] = await once(dnsperf, 'close');
  if (code !== 0) throw new Error(`dnsperf ended with ${code}:\n${output}`);
  return output;
}

const completedIn = (output: string): number => Number(/Queries completed:\s+\d+ \(([\d.]+)%\)/.exec(output)?.[1]);

async function watch(shim: Running, until: AbortSignal): Promise<readonly Measured[]> {
  const started = performance.now();
  const all: Measured[] = [];
  while (!until.aborted) {
    all.push(await measure(shim, (performance.now() - started) / 1000));
    await sleep((seconds * 1000) / SAMPLES);
  }
  return all;
}

async function soak(folder: string, endpoint: MeshEndpoint): Promise<boolean> {
  const shim = await startShim(folder, endpoint);
  const loaded = new AbortController();
  try {
    const queries = await queryFile(folder);
    const watching = watch(shim, loaded.signal);
    const outputs = await Promise.all([
      load(shim.port, queries, 'udp', Math.round(rate * 0.8)),
      load(shim.port, queries, 'tcp', Math.round(rate * 0.2)),
    ]);
    loaded.abort();
    return judge(await watching, outputs.map(completedIn));
  } finally {
    loaded.abort();
    shim.stop();
  }
}

function judge(measured: readonly Measured[], completed: readonly number[]): boolean {
  const warm = measured.filter(({ atSeconds }) => atSeconds > seconds * WARM_UP_SHARE && atSeconds < seconds);
  const growth = (of: 'liveOctets' | 'residentOctets') =>
    growthPerMinute(warm.map((one) => ({ at: one.atSeconds, octets: one[of] }))) * 100;
  const [live, resident] = [growth('liveOctets'), growth('residentOctets')];
  const last = warm.at(-1);
  const megabytes = (octets = Number.NaN) => `${(octets / 2 ** 20).toFixed(1)} MB`;
  const grown = (last?.descriptors ?? Number.NaN) - (warm[0]?.descriptors ?? 0);
  print(`live memory: ${megabytes(last?.liveOctets)}, ${live.toFixed(2)} % a minute (at most ${mostSlope})`);
  print(
    `resident memory: ${megabytes(last?.residentOctets)}, ${resident.toFixed(2)} % a minute (at most ${mostResidentSlope})`,
  );
  print(`descriptors: ${last?.descriptors}, ${grown} more than after warming up`);
  print(`answered: ${completed.map((share) => `${share} %`).join(' over UDP, ')} over TCP`);
  const answered = completed.every((share) => share > 99.5);
  return live <= mostSlope && resident <= mostResidentSlope && grown <= MOST_DESCRIPTORS_GROWN && answered;
}

const folder = await mkdtemp(join(tmpdir(), 'meshdoh-soak-'));
const endpoint = await MeshEndpoint.start(createCertificate(['127.0.0.1']));
endpoint.table = meshTable([vipHost('one.internal', '240.240.1.1')]);
endpoint.respond = ({ question }) => {
  // What has been asked is of no interest here, and would be the first thing to grow.
  endpoint.requests.length = 0;
  return { answers: [{ owner: question?.qname ?? name('.'), ttl: 30, type: 'A', address: '192.0.2.1' }] };
};
print(`${seconds} s at ${rate} queries a second`);
const passed = await soak(folder, endpoint).finally(async () => {
  await endpoint.takeAway();
  await rm(folder, { recursive: true, force: true });
});
print(passed ? 'passed' : 'FAILED');
process.exit(passed ? 0 : 1);
