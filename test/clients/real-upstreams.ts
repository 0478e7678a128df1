import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, freePort } from '../../bench/measure/child.ts';
import type { Upstream } from '../../src/forward/upstream.ts';
import type { Certificate } from '../support/certificate.ts';

/** A DoH server from a Debian package. */
export interface RealUpstream {
  readonly name: string;
  readonly upstream: Upstream;
  stop(): Promise<void>;
}

export const ZONE = 'zone.example';
export const MANY = 43;
export const TEXT = Array.from({ length: 16 }, (_, n) => `${n}`.padEnd(250, '-'));
const SIGNATURE = `A 8 3 300 20301231000000 20200101000000 12345 ${ZONE}. c2lnbmF0dXJl`;

/** What all of them answer, where they can. */
const RECORDS: readonly string[] = [
  `one.${ZONE}. 300 IN A 192.0.2.1`,
  ...Array.from({ length: MANY }, (_, n) => `many.${ZONE}. 300 IN A 192.0.2.${n + 1}`),
  `text.${ZONE}. 300 IN TXT ${TEXT.map((text) => `"${text}"`).join(' ')}`,
  `odd.${ZONE}. 300 IN TYPE65280 \\# 4 deadbeef`,
  `web.${ZONE}. 300 IN HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.7`,
];

/** Signed by nobody: enough to see whether signatures get through. */
const SIGNED: readonly string[] = [
  `signed.${ZONE}. 300 IN A 192.0.2.9`,
  `signed.${ZONE}. 300 IN RRSIG ${SIGNATURE}`,
  `${ZONE}. 300 IN SOA ns.${ZONE}. hostmaster.${ZONE}. 1 3600 600 86400 30`,
  `${ZONE}. 300 IN NS ns.${ZONE}.`,
];

interface Place {
  readonly folder: string;
  readonly certificate: Certificate;
}

async function writeFiles({ folder, certificate }: Place, name: string, config: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${config.join('\n')}\n`);
  await writeFile(join(folder, 'cert.pem'), certificate.cert);
  await writeFile(join(folder, 'key.pem'), certificate.key, { mode: 0o600 });
  return path;
}

async function launch(
  name: string,
  argv: readonly [string, ...string[]],
  port: number,
  { folder, certificate }: Place,
  scheme: 'https' | 'http' = 'https',
): Promise<RealUpstream> {
  const child = new Child({ argv, cwd: folder });
  await child.listensOn(port);
  const url = `${scheme}://127.0.0.1:${port}/dns-query`;
  return {
    name,
    upstream: scheme === 'https' ? { url, ca: certificate.ca } : { url },
    stop: () => child.stop(),
  };
}

/** HTTP/2; the zone is its own, so that it hands out signatures that it cannot check. */
export async function startUnbound(place: Place): Promise<RealUpstream> {
  const port = await freePort();
  await writeFile(join(place.folder, 'zone'), `${[...SIGNED, ...RECORDS].join('\n')}\n`);
  const config = await writeFiles(place, 'unbound.conf', [
    'server:',
    `  interface: 127.0.0.1@${port}`,
    `  https-port: ${port}`,
    `  tls-service-key: "${join(place.folder, 'key.pem')}"`,
    `  tls-service-pem: "${join(place.folder, 'cert.pem')}"`,
    '  username: ""',
    '  chroot: ""',
    `  directory: "${place.folder}"`,
    '  pidfile: ""',
    '  use-syslog: no',
    '  module-config: "iterator"',
    '  do-not-query-localhost: yes',
    'auth-zone:',
    `  name: "${ZONE}"`,
    '  for-downstream: yes',
    '  for-upstream: no',
    `  zonefile: "${join(place.folder, 'zone')}"`,
  ]);
  return launch('unbound', ['unbound', '-d', '-p', '-c', config], port, place);
}

/** HTTP/2. */
export async function startKnotResolver(place: Place): Promise<RealUpstream> {
  const port = await freePort();
  const config = await writeFiles(place, 'kresd.conf', [
    `net.listen('127.0.0.1', ${port}, { kind = 'doh2' })`,
    `net.tls('${join(place.folder, 'cert.pem')}', '${join(place.folder, 'key.pem')}')`,
    "modules = { 'hints > iterate' }",
    `hints.set('one.${ZONE} 192.0.2.1')`,
    ...Array.from({ length: MANY }, (_, n) => `hints.set('many.${ZONE} 192.0.2.${n + 1}')`),
    'cache.size = 10 * MB',
  ]);
  return launch('kresd', ['kresd', '-n', '-q', '-c', config, place.folder], port, place);
}

/**
 * It refuses a query that is not padded or that carries a client subnet, so that an answer shows how it was asked.
 * Over HTTP/2, or in clear over HTTP/1.1.
 */
export async function startDnsdist(place: Place, protocol: 'h2' | 'h1'): Promise<RealUpstream> {
  const port = await freePort();
  const files =
    protocol === 'h2' ? `'${join(place.folder, 'cert.pem')}', '${join(place.folder, 'key.pem')}'` : 'nil, nil';
  const config = await writeFiles(place, `dnsdist-${protocol}.conf`, [
    `setLocal('127.0.0.1:${await freePort()}')`,
    "setSecurityPollSuffix('')",
    `addDOHLocal('127.0.0.1:${port}', ${files}, '/dns-query', {idleTimeout=60})`,
    `addAction(EDNSOptionRule(8), RCodeAction(DNSRCode.REFUSED))`,
    `addAction(NotRule(EDNSOptionRule(12)), RCodeAction(DNSRCode.REFUSED))`,
    `addAction('one.${ZONE}.', SpoofAction({'192.0.2.1'}, {ttl=300}))`,
    `addAction(AllRule(), RCodeAction(DNSRCode.NXDOMAIN))`,
    "newServer({address='127.0.0.1:9'}):setUp()",
  ]);
  const argv = ['dnsdist', '-C', config, '--supervised', '--disable-syslog'] as const;
  return launch(`dnsdist ${protocol}`, [...argv], port, place, protocol === 'h2' ? 'https' : 'http');
}
