import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../measure/child.ts';
import { ADDRESS, TTL, ZONE } from './zone.ts';

/** Where programs run, and what is there already. */
export interface Place {
  readonly folder: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** The core for what is measured. */
  readonly core: number;
  /** DoH endpoint, and a resolver in clear, that answer the zone. */
  readonly dohPort: number;
  readonly udpPort: number;
  /** Our shim, as it is shipped. */
  readonly bundle: string;
}

/** A program that answers DNS on a port of 127.0.0.1. */
export interface Peer {
  readonly name: string;
  /** Absent for what needs Node alone. */
  readonly needs?: { readonly command: string; readonly package: string };
  start(port: number, place: Place): Promise<Child>;
}

async function configured(place: Place, name: string, lines: readonly string[]): Promise<string> {
  const path = join(place.folder, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

const child = ({ folder, core }: Place, ...argv: [string, ...string[]]): Child =>
  new Child({ argv, cwd: folder, core, environment: { GOMAXPROCS: '1' } });

/** Answers the zone over DoH, by a rule: the endpoint behind all shims. */
export async function startEndpoint(place: Place, core: number): Promise<Child> {
  const config = await configured(place, 'endpoint.conf', [
    `setLocal('127.0.0.1:${place.udpPort}')`,
    'setMaxUDPOutstanding(65535)',
    "setSecurityPollSuffix('')",
    `addDOHLocal('127.0.0.1:${place.dohPort}', '${place.cert}', '${place.key}', '/dns-query', {idleTimeout=60})`,
    `addAction('${ZONE}.', SpoofAction({'${ADDRESS}'}, {ttl=${TTL}}))`,
    "newServer({address='127.0.0.1:9'}):setUp()",
  ]);
  return child({ ...place, core }, 'dnsdist', '-C', config, '--supervised', '--disable-syslog');
}

const dnsmasq: Peer = {
  name: 'dnsmasq',
  needs: { command: 'dnsmasq', package: 'dnsmasq-base' },
  async start(port, place) {
    const config = await configured(place, `dnsmasq-${port}.conf`, [
      'no-resolv',
      'no-hosts',
      `port=${port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'cache-size=10000',
      `server=127.0.0.1#${place.udpPort}`,
      'dns-forward-max=10000',
    ]);
    return child(place, 'dnsmasq', '-C', config, '--keep-in-foreground', '--user=', '--pid-file=');
  },
};

const unbound: Peer = {
  name: 'unbound',
  needs: { command: 'unbound', package: 'unbound' },
  async start(port, place) {
    const config = await configured(place, `unbound-${port}.conf`, [
      'server:',
      '  num-threads: 1',
      `  interface: 127.0.0.1@${port}`,
      '  username: ""',
      '  chroot: ""',
      `  directory: "${place.folder}"`,
      '  pidfile: ""',
      '  use-syslog: no',
      '  do-not-query-localhost: no',
      '  module-config: "iterator"',
      '  incoming-num-tcp: 100',
      'forward-zone:',
      '  name: "."',
      `  forward-addr: 127.0.0.1@${place.udpPort}`,
    ]);
    return child(place, 'unbound', '-d', '-p', '-c', config);
  },
};

const dnsdist: Peer = {
  name: 'dnsdist',
  needs: { command: 'dnsdist', package: 'dnsdist' },
  async start(port, place) {
    const config = await configured(place, `dnsdist-${port}.conf`, [
      `setLocal('127.0.0.1:${port}')`,
      'setMaxUDPOutstanding(65535)',
      "setSecurityPollSuffix('')",
      "getPool(''):setCache(newPacketCache(10000, {maxTTL=86400}))",
      `newServer({address='127.0.0.1:${place.dohPort}', tls='openssl', subjectName='localhost', dohPath='/dns-query', validateCertificates=false}):setUp()`,
    ]);
    return child(place, 'dnsdist', '-C', config, '--supervised', '--disable-syslog');
  },
};

const dnssWith = (cache: boolean): Peer => ({
  name: 'dnss',
  needs: { command: 'dnss', package: 'dnss' },
  start: async (port, place) =>
    child(
      place,
      ...(['dnss', '-dns_listen_addr', `127.0.0.1:${port}`, '-enable_dns_to_https'] as const),
      ...['-https_upstream', `https://127.0.0.1:${place.dohPort}/dns-query`, '-https_client_cafile', place.ca],
      ...[`-enable_cache=${cache}`, '-fallback_upstream', '127.0.0.1:9'],
    ),
});

/** As the unit of `install` runs it. */
const NODE_FLAGS = ['--max-old-space-size=320', '--max-semi-space-size=4'];

export const ourShim: Peer = {
  name: 'meshdoh-shim',
  start: async (port, place) =>
    child(
      place,
      ...([process.execPath, ...NODE_FLAGS, place.bundle, 'run', '--listen', `127.0.0.1:${port}`] as [
        string,
        ...string[],
      ]),
      ...['--endpoint', `https://127.0.0.1:${place.dohPort}/dns-query`, '--ca-file', place.ca],
      ...['--state-dir', join(place.folder, `state-${port}`), '--metrics-listen', 'off', '--vips', 'off'],
      ...['--fallback', 'none', '--log', 'quiet'],
    ),
};

/** The limit of the runtime: a datagram in, the same datagram out. */
export const dgramEcho: Peer = {
  name: 'Node dgram echo',
  start: async (port, place) =>
    child(place, process.execPath, fileURLToPath(new URL('echo.ts', import.meta.url)), String(port)),
};

export const CACHING: readonly Peer[] = [dnsmasq, unbound, dnsdist, dnssWith(true)];
export const FORWARDING: readonly Peer[] = [dnsdist, dnssWith(false)];
export const OVER_TCP: readonly Peer[] = [unbound, dnsdist, dnssWith(true)];
