// Packs the shim with the Node it runs on, for hosts that have none: dist/meshdoh-shim_VERSION_ARCH.deb.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildShim } from '../src/shim/build.mjs';

const HERE = import.meta.dirname;
const PROJECT = join(HERE, '..');
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };

/** @returns the path of the package */
export async function buildDeb(outFolder = join(PROJECT, 'dist'), architecture = process.arch) {
  const debian = ARCHITECTURES[architecture];
  const node = join(PROJECT, `node_modules/node-linux-${architecture}/bin/node`);
  if (debian === undefined || !existsSync(node)) throw new Error(`no Node for linux ${architecture} in node_modules`);
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  const root = mkdtempSync(join(tmpdir(), 'meshdoh-deb-'));
  try {
    chmodSync(root, 0o755);
    await fill(root, node);
    writeFileSync(place(root, 'DEBIAN/control'), control(version, debian, node));
    writeFileSync(place(root, 'DEBIAN/conffiles'), '/etc/meshdoh/shim.conf\n');
    mkdirSync(outFolder, { recursive: true });
    const file = join(outFolder, `meshdoh-shim_${version}_${debian}.deb`);
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, file], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return file;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function fill(root, node) {
  await buildShim(place(root, 'usr/lib/meshdoh-shim/meshdoh-shim.mjs'));
  copyTo(root, 'usr/lib/meshdoh-shim/node', node, 0o755);
  copyTo(root, 'usr/bin/meshdoh-shim', join(HERE, 'meshdoh-shim'), 0o755);
  copyTo(root, 'etc/meshdoh/shim.conf', join(HERE, 'shim.conf'), 0o644);
  copyTo(root, 'usr/share/doc/meshdoh-shim/copyright', join(PROJECT, 'LICENSE'), 0o644);
  copyTo(root, 'usr/share/doc/meshdoh-shim/LICENSE.node', nodeLicense(node), 0o644);
  for (const script of ['postinst', 'prerm', 'postrm']) copyTo(root, `DEBIAN/${script}`, join(HERE, script), 0o755);
}

/** Node may be passed on with its licence beside it. */
const nodeLicense = (node) =>
  [join(dirname(node), '../LICENSE'), join(PROJECT, 'LICENSE')].find((path) => existsSync(path));

function copyTo(root, path, source, mode) {
  copyFileSync(source, place(root, path));
  chmodSync(join(root, path), mode);
}

function place(root, path) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  return join(root, path);
}

/** What the program needs of the system; systemd and nftables are used where they are. */
function control(version, architecture, node) {
  const kilobytes = Math.ceil(readFileSync(node).length / 1024) + 512;
  return `Package: meshdoh-shim
Version: ${version}
Architecture: ${architecture}
Maintainer: meshdoh <meshdoh@localhost>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libstdc++6, libgcc-s1, passwd
Recommends: ca-certificates, nftables, iproute2
Suggests: conntrack
Section: net
Priority: optional
Description: DNS of a host over HTTPS, with the names of a service mesh
 Answers the DNS queries of every program on a host over a DNS-over-HTTPS
 endpoint (RFC 8484). With meshdoh as the endpoint it resolves the names of
 Istio ServiceEntries and carries their virtual IPs. It is safe when things
 break: DNS goes back to the host's own resolvers within seconds.
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`${await buildDeb()}\n`);
}
