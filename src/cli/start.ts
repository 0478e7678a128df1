import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import { isLoopback } from '../dns/loopback.ts';
import { type NodeServer, startNodeServer } from '../http/node-server.ts';
import { listenAddress, listenText } from '../settings/listen-address.ts';
import type { ListenAddress, Settings, Store } from '../settings.ts';
import { type Listener, listenTcp } from '../shim/tcp-listener.ts';
import { listenUdp } from '../shim/udp-listener.ts';
import { keepObjectsYoung } from '../young-objects.ts';
import { ensureCertificate } from './certificate.ts';
import { applyExamples } from './examples.ts';
import { CommandFailure } from './failure.ts';
import { openAt } from './listen-failure.ts';
import { metricsUrl, openMetricsListener } from './metrics-listener.ts';
import { openStore, usingStore } from './open-store.ts';
import { packageVersion } from './package-root.ts';
import { addSettingOptions, readSettings } from './read-settings.ts';
import { untilStopped } from './run-until-stopped.ts';
import { report } from './serve.ts';
import { createService, type Service } from './service.ts';
import { ensureAdminToken, removeServerFile, STATE_FOLDER, writeServerFile } from './state-folder.ts';

const OPEN_TIMEOUT_MS = 15_000;
const STORE_FOLDER = join(STATE_FOLDER, 'store');

/** One machine, one user: data is kept, and nobody is asked for a credential on loopback. */
const PRESET = { store: STORE_FOLDER, auth: 'none' };

interface StartFlags extends Record<string, unknown> {
  readonly https: string;
  readonly dns: string;
}

interface Listeners {
  readonly metrics: NodeServer | undefined;
  readonly http: NodeServer;
  readonly https: NodeServer;
  readonly dns: readonly Listener[];
}

function addressFlag(name: string, value: string): ListenAddress {
  const reading = listenAddress(value);
  if (reading.ok) return reading.value;
  throw new CommandFailure(`--${name} is "${value}": ${reading.problems[0]?.reason}`);
}

interface Addresses {
  readonly http: ListenAddress;
  readonly https: ListenAddress;
  readonly dns: ListenAddress;
}

/** Whoever reaches a listener that asks for no credential is served: the API with `auth: none`, and DNS always. */
function addressesOf(flags: StartFlags, { listen, auth }: Settings): Addresses {
  const at = { http: listen, https: addressFlag('https', flags.https), dns: addressFlag('dns', flags.dns) };
  if (auth === 'none' && !isLoopback(at.https.host)) {
    throw new CommandFailure(
      `--https is "${flags.https}", which is not loopback, and "auth" is "none": whoever reaches it could change the registry; ` +
        'keep it on loopback, or add --auth tokens',
    );
  }
  if (!isLoopback(at.dns.host)) {
    throw new CommandFailure(
      `--dns is "${flags.dns}", which is not loopback: DNS knows no credentials, so whoever reaches it would be told private names; ` +
        'keep it on loopback, and let other machines ask over DoH',
    );
  }
  return at;
}

/** Every address of this machine, which is no address that a client could name. */
const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
/** Those that "localhost" stands for. */
const LOCALHOST: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);

/** What clients may call the server, for its certificate. */
const namesOf = ({ host }: ListenAddress): string[] => ['localhost', ANY_ADDRESS.has(host) ? hostname() : host];

/** Where clients on this machine find it, by a name of its certificate. */
const httpsUrl = ({ address, port }: NodeServer): string => {
  const isLocalhost = LOCALHOST.has(address) || ANY_ADDRESS.has(address);
  return `https://${listenText({ host: isLocalhost ? 'localhost' : address, port })}`;
};

async function listen(
  addresses: Addresses,
  service: Service,
  { metrics: metricsAt }: Settings,
  cwd: string,
): Promise<Listeners & { ca: string }> {
  const tls = await ensureCertificate(join(cwd, STATE_FOLDER), namesOf(addresses.https));
  const shared = { ...service, report };
  const http = await openAt('--listen', addresses.http, (at) => startNodeServer({ ...at, ...shared }));
  const https = await openAt('--https', addresses.https, (at) => startNodeServer({ ...at, tls, ...shared }));
  // TCP first: where any port will do, one that is free for TCP, which has many in use, is free for UDP as well.
  const tcp = await openAt('--dns', addresses.dns, (at) => listenTcp({ ...at, exchange: service.exchange }));
  const udp = await openAt('--dns', { ...addresses.dns, port: tcp.port }, (at) =>
    listenUdp({ ...at, exchange: service.exchange }),
  );
  service.metrics.watchConnections('http', () => http.connections);
  service.metrics.watchConnections('https', () => https.connections);
  const metrics = metricsAt && (await openMetricsListener(metricsAt, service.probes, report));
  return { http, https, dns: [udp, tcp], metrics, ca: tls.caPath };
}

const textOf = ({ address, port }: { address: string; port: number }): string => listenText({ host: address, port });

function placeOf(store: Store): string {
  switch (store.kind) {
    case 'memory':
      return 'in memory, and ends with it';
    case 'folder':
      return store.folder === STORE_FOLDER ? `in ${STATE_FOLDER}/` : `in ${store.folder}`;
    case 'dynamodb':
      return `in the DynamoDB table ${store.table}`;
  }
}

function greeting(
  cwd: string,
  store: Store,
  { http, https, dns, metrics, ca }: Listeners & { ca: string },
  applied: readonly string[],
): string {
  const [udp] = dns;
  if (!udp) throw new Error('no DNS listener');
  const caFile = relative(cwd, ca);
  const kdigAddress = ANY_ADDRESS.has(https.address) ? '127.0.0.1' : https.address;
  const doh = `${httpsUrl(https)}/dns-query`;
  const figures = metrics ? `\n        ${metricsUrl(metrics)}` : '';
  const examples = applied.length === 0 ? '' : `\nApplied the examples: ${applied.join(', ')}\n`;
  return `meshdoh ${packageVersion} is running; its data is ${placeOf(store)}
${examples}
  DoH   ${doh}   (certificate authority: ${caFile})
        http://${textOf(http)}/dns-query
  DNS   ${textOf(udp)}, UDP and TCP
  API   http://${textOf(http)}/apis/networking.istio.io/v1/serviceentries${figures}

Paste into another terminal, in this folder:

  npx meshdoh get serviceentries
  npx meshdoh resolve auto.internal
  curl -sv -m 2 --doh-url ${doh} --cacert ${caFile} http://address.internal/
  curl -s 'http://${textOf(http)}/dns-query?name=auto.internal&type=A'
  dig @${udp.address} -p ${udp.port} auto.internal
  kdig @${kdigAddress} -p ${https.port} +https +tls-ca=${caFile} +tls-hostname=${new URL(doh).hostname} auto.internal

Ctrl-C stops it.
`;
}

async function start(flags: StartFlags): Promise<void> {
  keepObjectsYoung();
  const cwd = process.cwd();
  const settings = readSettings(flags, { cwd, environment: process.env, preset: PRESET });
  const addresses = addressesOf(flags, settings);
  const firstRun =
    settings.store.kind === 'memory' || (settings.store.kind === 'folder' && !existsSync(settings.store.folder));
  const { token } = await ensureAdminToken(cwd);
  const store = await openStore(settings.store, cwd, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  const service = await usingStore(settings.store, () => createService({ settings, store, adminToken: token, report }));
  const applied = firstRun ? await applyExamples(service.writer) : [];
  const listeners = await listen(addresses, service, settings, cwd);
  const { http, https, dns, metrics, ca } = listeners;
  await writeServerFile(cwd, {
    pid: process.pid,
    http: `http://${textOf(http)}`,
    https: httpsUrl(https),
    ca,
  });
  // Before anybody is told that there is something to stop.
  const stopped = untilStopped();
  process.stdout.write(greeting(cwd, settings.store, listeners, applied));
  await stopped;
  await Promise.all([http.close(), https.close(), metrics?.close(), ...dns.map((listener) => listener.close())]);
  await service.close();
  await store.close();
  await removeServerFile(cwd);
}

const EXAMPLES = `
Examples:
  meshdoh start
  meshdoh start --store memory --listen 127.0.0.1:0
  meshdoh start --https 192.0.2.1:8443 --auth tokens --metrics 127.0.0.1:9153`;

export function startCommand(): Command {
  const command = new Command('start')
    .summary('everything on one machine: DoH, DNS, the ServiceEntry API')
    .description(
      `Runs meshdoh on this machine with an embedded store under ${STATE_FOLDER}/: DoH over HTTPS and HTTP, DNS over UDP and TCP, ` +
        'and the ServiceEntry API. The first run applies the example entries.',
    )
    .option('--https <address>', 'where to serve DoH over HTTPS', '127.0.0.1:8443')
    .option('--dns <address>', 'where to serve DNS over UDP and TCP', '127.0.0.1:15053')
    .action(start);
  return addSettingOptions(command).addHelpText('after', EXAMPLES);
}
