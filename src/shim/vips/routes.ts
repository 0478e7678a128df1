import { runCommand } from '../capture/run-command.ts';
import type { VipPrefixes } from './ruleset.ts';

/** Without it, the kernel would announce segments of 64 KB, as for loopback. */
const MTU = 1500;
/** Below every other route: where the first one is missing, a VIP is unreachable at once and not sent to the gateway. */
const BACKSTOP_METRIC = 65_535;

const each = (prefixes: VipPrefixes): readonly (readonly [string, string])[] => [
  ...prefixes.ipv4.map((prefix) => ['-4', prefix] as const),
  ...prefixes.ipv6.map((prefix) => ['-6', prefix] as const),
];

/**
 * Routes VIPs to the loopback interface as unicast, so that they reach the rules that translate them; a `local` route
 * would make them addresses of this host, which Docker's rules take for published ports.
 *
 * @returns what could not be done, a line each: a host without IPv6 has no IPv6 VIPs.
 */
export async function addRoutes(prefixes: VipPrefixes): Promise<string[]> {
  const done = await Promise.allSettled(
    each(prefixes).map(async ([family, prefix]) => {
      await runCommand(['ip', family, 'route', 'replace', 'unreachable', prefix, 'metric', String(BACKSTOP_METRIC)]);
      await runCommand(['ip', family, 'route', 'replace', prefix, 'dev', 'lo', 'mtu', String(MTU)]);
    }),
  );
  return done.flatMap((one) => (one.status === 'rejected' ? [String(one.reason.message)] : []));
}

/** Takes them away, where they are. */
export async function removeRoutes(prefixes: VipPrefixes): Promise<void> {
  const commands = each(prefixes).flatMap(([family, prefix]) => [
    ['ip', family, 'route', 'del', prefix, 'dev', 'lo'],
    ['ip', family, 'route', 'del', 'unreachable', prefix, 'metric', String(BACKSTOP_METRIC)],
  ]);
  await Promise.allSettled(commands.map(runCommand));
}
