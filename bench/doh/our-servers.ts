import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { run } from '../measure/child.ts';
import { launch, type Place, type Protocol, type Server } from './server.ts';
import { ADDRESS, NAMES } from './zone.ts';

const MESHDOH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const CANNED = join(import.meta.dirname, 'canned-server.ts');
const APPLY_MS = 30_000;

const ZONE_ENTRY: ServiceEntry = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { namespace: 'default', name: 'zone' },
  spec: {
    hosts: NAMES,
    addresses: [ADDRESS],
    ports: [{ name: 'https', number: 443, protocol: 'TLS' }],
    resolution: 'STATIC',
    endpoints: [{ address: ADDRESS }],
  },
};

async function registerZone(protocol: Protocol, folder: string, { ca }: Place): Promise<void> {
  await writeFile(join(folder, 'zone.json'), JSON.stringify(ZONE_ENTRY));
  const trust = protocol === 'h2' ? ['--cacert', ca] : [];
  await run({ argv: [process.execPath, MESHDOH, 'apply', '-f', 'zone.json', ...trust], cwd: folder }, APPLY_MS);
}

/** `meshdoh serve` with the registry in memory; without tokens, because its peers ask for none. */
export const meshdoh: Server = {
  name: 'meshdoh',
  protocols: ['h2', 'h1'],
  async start(protocol, port, place) {
    const folder = join(place.folder, `meshdoh-${protocol}`);
    await mkdir(folder);
    const tls = protocol === 'h2' ? ['--cert', place.cert, '--key', place.key] : [];
    const serve = ['serve', '--listen', `127.0.0.1:${port}`, '--store', 'memory', '--auth', 'none', ...tls];
    const child = await launch([process.execPath, MESHDOH, ...serve], port, { ...place, folder });
    // Its clients find it by a file, which it writes once it listens.
    await child.says(/listens on/);
    await registerZone(protocol, folder, place);
    return child;
  },
};

/** What node:http2 and node:http leave of the machine before any DNS. */
export const canned: Server = {
  name: 'canned Node server',
  protocols: ['h2', 'h1'],
  start: (protocol, port, place) =>
    launch([process.execPath, CANNED, protocol, String(port), place.cert, place.key], port, place),
};
