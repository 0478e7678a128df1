import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { embeddedClient, openEmbeddedDynamoDb } from '../src/embedded/embedded-dynamodb.ts';
import { ensureTable } from '../src/registry/dynamodb-open.ts';
import { type Bundle, bundleFunctions } from './cold/bundles.ts';
import { run } from './measure/child.ts';
import { figure, median, print, printMachine, printTable, spread } from './measure/report.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const rounds = Number(values.rounds);

/** Octets that an environment reads and compiles before its first query. */
const LARGEST_DOH_BUNDLE = 400 * 1024;
const TABLE = 'meshdoh';
const TIMEOUT_MS = 30_000;

/** What an environment does before its first event, on a table that is near: code, settings, connections, first reads. */
const IMPORT = `
const start = performance.now();
const { handler } = await import(process.argv[1]);
const ms = performance.now() - start;
if (typeof handler !== 'function') throw new Error('no handler');
console.log('took', ms);
process.exit();`;

/** Milliseconds until the function could take an event, in a process of its own. */
async function importTime({ file }: Bundle, environment: Record<string, string>): Promise<number> {
  const argv = [process.execPath, '--input-type=module', '-e', IMPORT, pathToFileURL(file).href] as const;
  const said = await run({ argv: [...argv], cwd: tmpdir(), environment }, TIMEOUT_MS);
  return Number(/took ([\d.]+)/.exec(said)?.[1]);
}

async function startTable(): Promise<{ url: string; close: () => Promise<void> }> {
  const db = await openEmbeddedDynamoDb();
  await ensureTable({ client: embeddedClient(db), table: TABLE }, AbortSignal.timeout(TIMEOUT_MS));
  const server = http.createServer(async (request, response) => {
    const body = await buffer(request);
    const { response: answer } = await db.requestHandler.handle({ headers: request.headers as never, body });
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async close() {
      server.closeAllConnections();
      server.close();
      await db.close();
    },
  };
}

async function measure(folder: string, url: string): Promise<Bundle[]> {
  const { empty, functions } = await bundleFunctions(folder);
  const environment = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'function',
    AWS_SECRET_ACCESS_KEY: 'function',
    MESHDOH_STORE: 'dynamodb',
    MESHDOH_TABLE: TABLE,
    MESHDOH_ENDPOINT: url,
    MESHDOH_UPSTREAMS: '',
  };
  const all = [empty, ...functions];
  const times = new Map<Bundle, number[]>(all.map((bundle) => [bundle, []]));
  for (let round = 0; round < rounds; round++) {
    for (const bundle of all) times.get(bundle)?.push(await importTime(bundle, environment));
  }
  const baseline = times.get(empty) ?? [];
  const rows = all.map((bundle) => {
    const own = times.get(bundle) ?? [];
    const ratios = own.map((ms, round) => ms / (baseline[round] ?? Number.NaN));
    return [bundle.name, figure(bundle.octets / 1024), figure(median(own)), spread(ratios)];
  });
  printTable(
    `Until a function can take its first event, ${rounds} rounds, each function once a round in a process of its own`,
    ['function', 'KB', 'ms, median', '÷ empty, median (least–most)'],
    rows,
  );
  return functions;
}

printMachine();
const folder = mkdtempSync(join(tmpdir(), 'meshdoh-cold-'));
const table = await startTable();
try {
  const functions = await measure(folder, table.url);
  const doh = functions.find(({ name }) => name === 'doh')?.octets ?? Number.POSITIVE_INFINITY;
  const kept = doh <= LARGEST_DOH_BUNDLE;
  const [size, most] = [doh, LARGEST_DOH_BUNDLE].map((octets) => figure(octets / 1024));
  print(`\nbound: KB of the DoH function: ${size}, at most ${most}: ${kept ? 'kept' : 'BROKEN'}`);
  if (!kept) process.exitCode = 1;
} finally {
  await table.close();
  rmSync(folder, { recursive: true });
}
