import { spawnSync } from 'node:child_process';

/** The Debian package of each command that these tests need. */
const PACKAGE_OF = {
  curl: 'curl',
  dig: 'bind9-dnsutils',
  dnsdist: 'dnsdist',
  gcc: 'gcc',
  getent: 'libc-bin',
  ip: 'iproute2',
  java: 'openjdk-17-jre-headless',
  kdig: 'knot-dnsutils',
  kresd: 'knot-resolver',
  'musl-gcc': 'musl-tools',
  nsenter: 'util-linux',
  unbound: 'unbound',
  unshare: 'util-linux',
} as const;

export type Command = keyof typeof PACKAGE_OF;

/** @throws with the line that installs what is missing. */
export function requireInstalled(...commands: readonly Command[]): void {
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((command) => PACKAGE_OF[command]))];
  throw new Error(`${missing.join(', ')}: not found; apt-get install --no-install-recommends ${packages.join(' ')}`);
}
