import { isLoopback } from '../dns/loopback.ts';
import type { SettingError, Settings } from '../settings.ts';
import { createPool, PoolPrefixError } from '../vip/pool.ts';
import { durationText } from './duration.ts';
import type { Key } from './keys.ts';
import { listenText } from './listen-address.ts';
import { type Given, settingError } from './sources.ts';

/** Of the shim: how long it answers from what it last knew. */
const SHIM_STALE_MAX_MS = 3_600_000;
/** What an entry may ask for by annotation, in seconds. */
const LARGEST_ENTRY_TTL = 3600;
/** Ten years: a longer one is a slip of the keyboard, and would keep addresses for nobody until the pool is full. */
const LONGEST_TOMBSTONE_MS = 3650 * 24 * 3_600_000;

/** What a setting cannot be judged by alone. */
interface Rule {
  /** The one to change. */
  readonly key: Key;
  /** The others that it depends on. */
  readonly against: readonly Key[];
  /** Why the settings do not go together; undefined when they do. */
  readonly problem: (settings: Settings) => string | undefined;
}

const RULES: readonly Rule[] = [
  { key: 'auth', against: ['listen'], problem: authProblem },
  { key: 'metrics', against: [], problem: metricsProblem },
  { key: 'tombstone', against: ['registryCacheMs', 'staleMaxMs', 'ttl.vip'], problem: tombstoneProblem },
  { key: 'pools.ipv6', against: ['pools.ipv4'], problem: poolsProblem },
];

/** Judges what could be read: a rule over a setting in `misread` would speak of a value that nobody gave. */
export function checkRules(
  settings: Settings,
  misread: ReadonlySet<Key>,
  givenFor: (key: Key) => Given,
): SettingError[] {
  return RULES.flatMap(({ key, against, problem }) => {
    if ([key, ...against].some((needed) => misread.has(needed))) return [];
    const reason = problem(settings);
    return reason === undefined ? [] : [settingError(key, givenFor(key), reason)];
  });
}

function authProblem({ auth, listen }: Settings): string | undefined {
  if (auth !== 'none' || isLoopback(listen.host)) return undefined;
  return `expected "tokens", because "listen" is ${listenText(listen)}, which is not loopback`;
}

function metricsProblem({ metrics }: Settings): string | undefined {
  if (metrics === undefined || isLoopback(metrics.host)) return undefined;
  return 'expected a loopback address, because nobody is asked for a credential there: from elsewhere, scrape /metrics of "listen" with the administrator token';
}

/**
 * The longest that a released VIP can still be answered: the registry's last known state, kept for its TTL, then
 * served stale by a shim. Twice that, and nobody who was told of the old holder meets the new one.
 */
function tombstoneProblem({ registryCacheMs, staleMaxMs, ttl, tombstoneMs }: Settings): string | undefined {
  const largestTtlMs = 1000 * Math.max(LARGEST_ENTRY_TTL, ttl.vip);
  const bound = 2 * (registryCacheMs + staleMaxMs + SHIM_STALE_MAX_MS + largestTtlMs);
  if (tombstoneMs > LONGEST_TOMBSTONE_MS) return `expected at most "${durationText(LONGEST_TOMBSTONE_MS)}"`;
  if (tombstoneMs >= bound) return undefined;
  const parts = [
    `registryCacheMs (${durationText(registryCacheMs)})`,
    `staleMaxMs (${durationText(staleMaxMs)})`,
    `the shim's stale limit (${durationText(SHIM_STALE_MAX_MS)})`,
    `the largest TTL (${durationText(largestTtlMs)})`,
  ];
  return `expected at least "${durationText(bound)}", twice the sum of ${parts.join(', ')}`;
}

function poolsProblem({ pools }: Settings): string | undefined {
  try {
    createPool(pools);
    return undefined;
  } catch (error) {
    if (error instanceof PoolPrefixError) return error.message;
    throw error;
  }
}
