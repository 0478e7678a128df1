import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DnsQuery } from '../../src/dns/query.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { openPair } from '../../src/shim/listeners.ts';
import type { Log } from '../../src/shim/log.ts';
import { readShimSettings, type ShimSettings } from '../../src/shim/settings.ts';
import { Shim, type ShimOptions } from '../../src/shim/shim.ts';
import type { SocketAddress } from '../../src/shim/socket-address.ts';
import { FrameReader, framed } from '../../src/shim/tcp-frames.ts';
import type { MeshTable, TableHost } from '../../src/table/mesh-table.ts';
import { TABLE_SCHEMA_VERSION } from '../../src/table/mesh-table.ts';
import { decoded, name, queryWire, responseWire } from './dns.ts';
import type { MeshEndpoint } from './mesh-endpoint.ts';

/** What a test has opened, closed in reverse order. */
export class Closers {
  readonly #closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

export async function temporaryFolder(closers: Closers): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdoh-shim-'));
  closers.add(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** A resolver in clear, as a network has one; what it was asked, and what it answers. */
export interface SystemResolver {
  readonly at: SocketAddress;
  readonly queries: DnsQuery[];
  readonly qnames: string[];
  respond: (query: DnsQuery) => Partial<ResponseContent> | undefined;
  close(): Promise<void>;
}

export async function startSystemResolver(closers: Closers): Promise<SystemResolver> {
  const queries: DnsQuery[] = [];
  const resolver: SystemResolver = {
    at: { address: '127.0.0.1', port: 0 },
    queries,
    get qnames() {
      return queries.map(({ question }) => question?.qname ?? '');
    },
    respond: ({ question }) => ({
      answers: [{ owner: question?.qname ?? name('.'), ttl: 60, type: 'A', address: '198.51.100.53' }],
    }),
    close: async () => {
      await Promise.all([pair.udp.close(), pair.tcp.close()]);
    },
  };
  const pair = await openPair({ address: '127.0.0.1', port: 0 }, (wire) => {
    const query = decoded(wire);
    queries.push(query);
    const content = resolver.respond(query);
    return content && responseWire(query, content);
  });
  closers.add(() => resolver.close());
  return Object.assign(resolver, { at: { address: '127.0.0.1', port: pair.udp.port } });
}

export interface RunningShim {
  readonly shim: Shim;
  readonly settings: ShimSettings;
  /** Of the log, with their level. */
  readonly lines: string[];
  ask(qname: string, type?: string, options?: Parameters<typeof queryWire>[2]): Promise<Buffer>;
  askTcp(qname: string, type?: string): Promise<Buffer>;
}

export interface RunningShimOptions extends Partial<Omit<ShimOptions, 'settings' | 'log'>> {
  readonly endpoints?: readonly MeshEndpoint[];
  readonly system?: SystemResolver;
  readonly search?: readonly string[];
  readonly stateDir?: string;
  /** More lines of the settings file. */
  readonly conf?: string;
}

export async function startShim(closers: Closers, options: RunningShimOptions = {}): Promise<RunningShim> {
  const {
    endpoints = [],
    system,
    search = [],
    conf = '',
    stateDir = await temporaryFolder(closers),
    ...rest
  } = options;
  const lines: string[] = [];
  const settings = await settingsOf(stateDir, endpoints, conf);
  const log: Log = {
    warn: (line) => lines.push(`warn ${line}`),
    info: (line) => lines.push(`info ${line}`),
    debug: (line) => lines.push(`debug ${line}`),
  };
  const originalServers = async () => ({ servers: system ? [system.at] : [], search });
  const shim = await Shim.open({ originalServers, ...rest, settings, log });
  closers.add(() => shim.close());
  const [at] = shim.addresses;
  if (at === undefined) throw new Error('the shim listens nowhere');
  return {
    shim,
    settings,
    lines,
    ask: (qname, type = 'A', query = {}) => askUdp(at, queryWire(qname, type, { id: 4711, ...query })),
    askTcp: async (qname, type = 'A') => {
      const [answer] = await askTcp(at, [queryWire(qname, type, { id: 4711 })]);
      return answer ?? Buffer.alloc(0);
    },
  };
}

/** On a free port of loopback, without VIPs and metrics; the authorities of all endpoints are trusted. */
export async function settingsOf(
  stateDir: string,
  endpoints: readonly MeshEndpoint[],
  conf: string,
): Promise<ShimSettings> {
  const caFile = join(stateDir, 'ca.pem');
  await writeFile(caFile, endpoints.map(({ ca }) => ca).join(''));
  const text = [
    'listen = 127.0.0.1:0',
    `state-dir = ${stateDir}`,
    ...(endpoints.length > 0 ? [`ca-file = ${caFile}`] : []),
    ...(conf.includes('metrics-listen') ? [] : ['metrics-listen = off']),
    ...endpoints.map(({ url }) => `endpoint = ${url}`),
    conf,
  ].join('\n');
  const read = readShimSettings({ file: { name: 'shim.conf', text } });
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return read.settings;
}

const ANSWER_MS = 8_000;

export async function askUdp({ address, port }: SocketAddress, wire: Buffer): Promise<Buffer> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    socket.send(wire);
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
    return answer;
  } finally {
    socket.close();
  }
}

/** All queries at once on one connection; the answers in the order in which they come. */
export async function askTcp({ address, port }: SocketAddress, wires: readonly Buffer[]): Promise<Buffer[]> {
  const socket = connect({ host: address, port });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer[]>();
  const frames = new FrameReader(0xffff);
  const answers: Buffer[] = [];
  socket.on('data', (chunk) => {
    frames.push(chunk);
    for (let frame = frames.next(); frame.kind === 'message'; frame = frames.next()) answers.push(frame.wire);
    if (answers.length === wires.length) resolve(answers);
  });
  socket.on('error', reject).on('close', () => reject(new Error(`closed after ${answers.length} answers`)));
  socket.write(Buffer.concat(wires.map(framed)));
  const timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

/** Asks again until it holds, or says so. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await sleep(25);
  }
}

/** A host with a VIP. */
export const vipHost = (host: string, ipv4: string, more: Partial<TableHost> = {}): TableHost => ({
  host,
  namespace: 'default',
  owned: true,
  addresses: [ipv4],
  vip: { ipv4, ipv6: `2001:2::${ipv4.split('.').slice(2).join(':')}` },
  resolution: 'DNS',
  ttl: 300,
  ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
  endpoints: [],
  ...more,
});

export const meshTable = (hosts: readonly TableHost[], more: Partial<MeshTable> = {}): MeshTable => ({
  schemaVersion: TABLE_SCHEMA_VERSION,
  view: {
    namespace: 'default',
    searchDomains: [],
    clusterDomain: 'cluster.local',
    families: ['ipv4'],
    vips: true,
    forwardUnknown: true,
  },
  negativeTtl: 30,
  privateZones: ['cluster.local', 'internal'],
  pools: [{ ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' }],
  hosts: hosts.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
  ...more,
});

/** Queries answered so far, by source, as `/metrics` tells them. */
export function answersBySource({ metrics }: Shim): Readonly<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (const [, source = '', count] of metrics
    .text([])
    .matchAll(/^meshdoh_shim_queries_total\{.*source="(\w+)"\} (\d+)$/gm)) {
    counted[source] = (counted[source] ?? 0) + Number(count);
  }
  return counted;
}
