import { readCommand, runCommand } from '../capture/run-command.ts';
import type { VipPrefixes } from './ruleset.ts';

/** Without it, the kernel would announce segments of 64 KB, as for loopback. */
const MTU = '1500';
/** Below every other route: where the first one is missing, a VIP is unreachable at once and not sent to the gateway. */
const BACKSTOP_METRIC = 65_535;

type Prefix = readonly [family: '-4' | '-6', prefix: string];

const each = (prefixes: VipPrefixes): readonly Prefix[] => [
  ...prefixes.ipv4.map((prefix) => ['-4', prefix] as const),
  ...prefixes.ipv6.map((prefix) => ['-6', prefix] as const),
];

/** One route of `ip -json route`. */
interface Route {
  readonly type?: string;
  readonly dst: string;
  readonly dev?: string;
  readonly metric?: number;
}

const unicast = (prefix: string): string[] => [prefix, 'dev', 'lo'];
const backstop = (prefix: string): string[] => ['unreachable', prefix, 'metric', String(BACKSTOP_METRIC)];

const isUnicast = ({ dst, dev, type = 'unicast' }: Route, prefix: string): boolean =>
  dst === prefix && dev === 'lo' && type === 'unicast';

const isBackstop = ({ dst, type, metric }: Route, prefix: string): boolean =>
  dst === prefix && type === 'unreachable' && metric === BACKSTOP_METRIC;

/** All routes to a prefix and below; none where they cannot be read, as where the kernel lacks the family. */
async function routesWithin([family, prefix]: Prefix): Promise<readonly Route[]> {
  try {
    const json = await readCommand(['ip', '-json', family, 'route', 'show', 'root', prefix]);
    return json.trim() === '' ? [] : (JSON.parse(json) as Route[]);
  } catch {
    return [];
  }
}

/**
 * What of the host's own routes lies within the range of VIPs: behind them are machines that the host would lose.
 * Undefined: nothing. A route to more than the range stays as it is, and leads to the rest of it.
 */
export async function routeClash(prefixes: VipPrefixes): Promise<string | undefined> {
  for (const prefix of each(prefixes)) {
    const [, range] = prefix;
    const others = (await routesWithin(prefix)).filter((one) => !isUnicast(one, range) && !isBackstop(one, range));
    const [other] = others;
    if (other === undefined) continue;
    const through = other.dev === undefined ? '' : ` through ${other.dev}`;
    return `this host routes ${other.dst}${through}, within the range ${range} of the virtual IPs: remove that route, or give the mesh another pool`;
  }
  return undefined;
}

/**
 * Routes VIPs to the loopback interface as unicast, so that they reach the rules that translate them; a `local` route
 * would make them addresses of this host, which Docker's rules take for published ports. Does nothing where they are.
 *
 * @returns what could not be done, a line each: a host without IPv6 has no IPv6 VIPs.
 */
export async function addRoutes(prefixes: VipPrefixes): Promise<string[]> {
  const done = await Promise.allSettled(each(prefixes).map(addMissing));
  return done.flatMap((one) => (one.status === 'rejected' ? [String(one.reason.message)] : []));
}

async function addMissing(wanted: Prefix): Promise<void> {
  const [family, prefix] = wanted;
  const present = await routesWithin(wanted);
  const add = (...route: string[]) => runCommand(['ip', family, 'route', 'add', ...route]);
  if (!present.some((one) => isBackstop(one, prefix))) await add(...backstop(prefix));
  if (!present.some((one) => isUnicast(one, prefix))) await add(...unicast(prefix), 'mtu', MTU);
}

/** Takes them away, where they are. */
export async function removeRoutes(prefixes: VipPrefixes): Promise<void> {
  const commands = each(prefixes).flatMap(([family, prefix]) =>
    [unicast(prefix), backstop(prefix)].map((route) => runCommand(['ip', family, 'route', 'del', ...route])),
  );
  await Promise.allSettled(commands);
}
