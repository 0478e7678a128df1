import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../measure/child.ts';
import { launch, type Place, type Server } from './server.ts';
import { ADDRESS, NAMES, ZONE } from './zone.ts';

/** As long as our own answers live. */
const TTL = 30;

async function writeConfig({ folder }: Place, name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

/** Answers by a rule, before any cache or backend. */
const dnsdist: Server = {
  name: 'dnsdist',
  protocols: ['h2', 'h1'],
  needs: { command: 'dnsdist', package: 'dnsdist' },
  async start(protocol, port, place) {
    const files = protocol === 'h2' ? `'${place.cert}', '${place.key}'` : 'nil, nil';
    const config = await writeConfig(place, `dnsdist-${protocol}.conf`, [
      `setLocal('127.0.0.1:${await freePort()}')`,
      "setSecurityPollSuffix('')",
      `addDOHLocal('127.0.0.1:${port}', ${files}, '/dns-query', {idleTimeout=60})`,
      `addAction('${ZONE}.', SpoofAction({'${ADDRESS}'}, {ttl=${TTL}}))`,
      // It wants a backend; nothing is sent there.
      "newServer({address='127.0.0.1:9'}):setUp()",
    ]);
    return launch(['dnsdist', '-C', config, '--supervised', '--disable-syslog'], port, place);
  },
};

const unbound: Server = {
  name: 'unbound',
  protocols: ['h2'],
  needs: { command: 'unbound', package: 'unbound' },
  async start(_protocol, port, place) {
    const config = await writeConfig(place, 'unbound.conf', [
      'server:',
      '  num-threads: 1',
      `  interface: 127.0.0.1@${port}`,
      `  https-port: ${port}`,
      '  http-max-streams: 1000',
      '  http-query-buffer-size: 64m',
      '  http-response-buffer-size: 64m',
      '  incoming-num-tcp: 100',
      `  tls-service-key: "${place.key}"`,
      `  tls-service-pem: "${place.cert}"`,
      '  username: ""',
      '  chroot: ""',
      `  directory: "${place.folder}"`,
      '  pidfile: ""',
      '  use-syslog: no',
      '  module-config: "iterator"',
      `  local-zone: "${ZONE}." static`,
      ...NAMES.map((name) => `  local-data: "${name}. ${TTL} A ${ADDRESS}"`),
    ]);
    return launch(['unbound', '-d', '-p', '-c', config], port, place);
  },
};

const knotResolver: Server = {
  name: 'knot-resolver',
  protocols: ['h2'],
  needs: { command: 'kresd', package: 'knot-resolver' },
  async start(_protocol, port, place) {
    const config = await writeConfig(place, 'kresd.conf', [
      `net.listen('127.0.0.1', ${port}, { kind = 'doh2' })`,
      `net.tls('${place.cert}', '${place.key}')`,
      "modules = { 'hints > iterate' }",
      ...NAMES.map((name) => `hints.set('${name} ${ADDRESS}')`),
      `hints.ttl(${TTL})`,
      'cache.size = 20 * MB',
    ]);
    const cache = join(place.folder, 'kresd');
    await mkdir(cache, { recursive: true });
    return launch(['kresd', '-n', '-q', '-c', config, cache], port, place);
  },
};

export const PEERS: readonly Server[] = [dnsdist, unbound, knotResolver];
