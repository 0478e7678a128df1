import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import { type NodeServer, startNodeServer } from '../http/node-server.ts';
import { isLoopback, listenAddress, listenText } from '../settings/listen-address.ts';
import type { ListenAddress, Settings } from '../settings.ts';
import { type Listener, listenTcp } from '../shim/tcp-listener.ts';
import { listenUdp } from '../shim/udp-listener.ts';
import { ensureCertificate } from './certificate.ts';
import { applyExamples } from './examples.ts';
import { CommandFailure } from './failure.ts';
import { openAt } from './listen-failure.ts';
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

/** Where no credential is asked for, the API takes what anybody sends: on any HTTP listener. */
function addressesOf(flags: StartFlags, { listen, auth }: Settings): Addresses {
  const at = { http: listen, https: addressFlag('https', flags.https), dns: addressFlag('dns', flags.dns) };
  if (auth === 'tokens' || isLoopback(at.https.host)) return at;
  throw new CommandFailure(
    `--https is "${flags.https}", which is not loopback, and "auth" is "none": whoever reaches it could change the registry; ` +
      'keep it on loopback, or add --auth tokens',
  );
}

async function listen(addresses: Addresses, service: Service, cwd: string): Promise<Listeners & { ca: string }> {
  const tls = await ensureCertificate(join(cwd, STATE_FOLDER), ['localhost']);
  const shared = { ...service, report };
  const http = await openAt('--listen', addresses.http, (at) => startNodeServer({ ...at, ...shared }));
  const https = await openAt('--https', addresses.https, (at) => startNodeServer({ ...at, tls, ...shared }));
  // TCP first: where any port will do, one that is free for TCP, which has many in use, is free for UDP as well.
  const tcp = await openAt('--dns', addresses.dns, (at) => listenTcp({ ...at, exchange: service.exchange }));
  const udp = await openAt('--dns', { ...addresses.dns, port: tcp.port }, (at) =>
    listenUdp({ ...at, exchange: service.exchange }),
  );
  return { http, https, dns: [udp, tcp], ca: tls.caPath };
}

const textOf = ({ address, port }: { address: string; port: number }): string => listenText({ host: address, port });

function greeting(
  cwd: string,
  { http, https, dns, ca }: Listeners & { ca: string },
  applied: readonly string[],
): string {
  const [udp] = dns;
  if (!udp) throw new Error('no DNS listener');
  const caFile = relative(cwd, ca);
  const doh = `https://localhost:${https.port}/dns-query`;
  const examples = applied.length === 0 ? '' : `\nApplied the examples: ${applied.join(', ')}\n`;
  return `meshdoh ${packageVersion} is running; its data is in ${STATE_FOLDER}/
${examples}
  DoH   ${doh}   (certificate authority: ${caFile})
        http://${textOf(http)}/dns-query
  DNS   ${textOf(udp)}, UDP and TCP
  API   http://${textOf(http)}/apis/networking.istio.io/v1/serviceentries

Paste into another terminal, in this folder:

  npx meshdoh get serviceentries
  npx meshdoh resolve auto.internal
  curl -sv -m 2 --doh-url ${doh} --cacert ${caFile} http://address.internal/
  curl -s 'http://${textOf(http)}/dns-query?name=auto.internal&type=A'
  dig @${udp.address} -p ${udp.port} auto.internal
  kdig @127.0.0.1 -p ${https.port} +https +tls-ca=${caFile} +tls-hostname=localhost auto.internal

Ctrl-C stops it.
`;
}

async function start(flags: StartFlags): Promise<void> {
  const cwd = process.cwd();
  const settings = readSettings(flags, { cwd, environment: process.env, preset: PRESET });
  const addresses = addressesOf(flags, settings);
  const firstRun =
    settings.store.kind === 'memory' || (settings.store.kind === 'folder' && !existsSync(settings.store.folder));
  const { token } = await ensureAdminToken(cwd);
  const store = await openStore(settings.store, cwd, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  const service = await usingStore(settings.store, () => createService({ settings, store, adminToken: token, report }));
  const applied = firstRun ? await applyExamples(service.writer) : [];
  const listeners = await listen(addresses, service, cwd);
  const { http, https, dns, ca } = listeners;
  await writeServerFile(cwd, {
    pid: process.pid,
    http: `http://${textOf(http)}`,
    https: `https://localhost:${https.port}`,
    ca,
  });
  process.stdout.write(greeting(cwd, listeners, applied));
  await untilStopped();
  await Promise.all([http.close(), https.close(), ...dns.map((listener) => listener.close())]);
  await service.close();
  await store.close();
  await removeServerFile(cwd);
}

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
  return addSettingOptions(command);
}
