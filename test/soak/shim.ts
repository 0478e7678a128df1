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

// A shim under a steady load: memory must not grow and descriptors must not pile up. Needs dnsperf, and Linux.
//   node test/soak/shim.ts --seconds 60 --rate 2000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    /** Queries per second. */
    rate: { type: 'string', default: '2000' },
    /** Of memory, in percent a minute after warming up. */
    slope: { type: 'string', default: '1' },
  },
});
const [seconds, rate, mostSlope] = [Number(values.seconds), Number(values.rate), Number(values.slope)];

/** Names of which most are in the cache, and some never were. */
const REPEATED = 2_000;
const CACHE_OCTETS = 2 * 1024 * 1024;
const WARM_UP_SHARE = 0.4;
const MOST_DESCRIPTORS_GROWN = 8;

/** As in the unit that `install` writes. */
const NODE_FLAGS: readonly string[] = ['--max-old-space-size=96', '--max-semi-space-size=4'];

interface Sample {
  readonly atSeconds: number;
  readonly residentOctets: number;
  readonly descriptors: number;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function sampleOf(pid: number, atSeconds: number): Sample {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return { atSeconds, residentOctets: Number(kilobytes) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Least squares, in octets per second. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [x, y] = [mean(({ atSeconds }) => atSeconds), mean(({ residentOctets }) => residentOctets)];
  const above = samples.reduce((sum, one) => sum + (one.atSeconds - x) * (one.residentOctets - y), 0);
  const below = samples.reduce((sum, { atSeconds }) => sum + (atSeconds - x) ** 2, 0);
  return above / below;
}

async function startShim(folder: string, endpoint: MeshEndpoint) {
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
  const child = spawn(process.execPath, [...NODE_FLAGS, bundle, 'run', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  for (let left = 200; left > 0; left--) {
    const [, port] = /answering DNS at 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
    if (port !== undefined) return { child, pid: child.pid ?? -1, port: Number(port) };
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

async function soak(folder: string, endpoint: MeshEndpoint): Promise<boolean> {
  const shim = await startShim(folder, endpoint);
  const samples: Sample[] = [];
  const started = performance.now();
  const sampling = setInterval(() => samples.push(sampleOf(shim.pid, (performance.now() - started) / 1000)), 500);
  try {
    const queries = await queryFile(folder);
    const outputs = await Promise.all([
      load(shim.port, queries, 'udp', Math.round(rate * 0.8)),
      load(shim.port, queries, 'tcp', Math.round(rate * 0.2)),
    ]);
    return judge(samples, outputs.map(completedIn));
  } finally {
    clearInterval(sampling);
    shim.child.kill('SIGTERM');
  }
}

function judge(samples: readonly Sample[], completed: readonly number[]): boolean {
  const warm = samples.filter(({ atSeconds }) => atSeconds > seconds * WARM_UP_SHARE && atSeconds < seconds);
  const resident = warm.reduce((sum, { residentOctets }) => sum + residentOctets, 0) / warm.length;
  const slope = (slopeOf(warm) * 60 * 100) / resident;
  const descriptors = warm.map((one) => one.descriptors);
  const grown = (descriptors.at(-1) ?? 0) - (descriptors[0] ?? 0);
  print(
    `resident memory: ${(resident / 2 ** 20).toFixed(1)} MB, ${slope.toFixed(2)} % a minute (at most ${mostSlope})`,
  );
  print(`descriptors: ${Math.min(...descriptors)} to ${Math.max(...descriptors)}, ${grown} more at the end`);
  print(`answered: ${completed.map((share) => `${share} %`).join(' over UDP, ')} over TCP`);
  return slope <= mostSlope && grown <= MOST_DESCRIPTORS_GROWN && completed.every((share) => share > 99.5);
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
