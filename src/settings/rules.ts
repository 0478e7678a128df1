import type { SettingError, Settings } from '../settings.ts';
import { createPool, PoolPrefixError } from '../vip/pool.ts';
import { durationText } from './duration.ts';
import type { Key } from './keys.ts';
import { isLoopback, listenText } from './listen-address.ts';
import { type Given, settingError } from './sources.ts';

/** Of the shim: how long it answers from what it last knew. */
const SHIM_STALE_MAX_MS = 3_600_000;
/** What an entry may ask for by annotation, in seconds. */
const LARGEST_ENTRY_TTL = 3600;

/** What no setting can be judged by alone. */
export function checkTogether(settings: Settings, givenFor: (key: Key) => Given): SettingError[] {
  return [
    ...checkAuth(settings, givenFor('auth')),
    ...checkTombstone(settings, givenFor('tombstone')),
    ...checkPools(settings, givenFor('pools.ipv6')),
  ];
}

function checkAuth({ auth, listen }: Settings, given: Given): SettingError[] {
  if (auth !== 'none' || isLoopback(listen.host)) return [];
  return [
    settingError('auth', given, `"tokens" unless "listen" is a loopback address, but it is ${listenText(listen)}`),
  ];
}

/**
 * The longest that a released VIP can still be answered: the registry's last known state, kept for its TTL, then
 * served stale by a shim. Twice that, and nobody who was told the old holder meets the new one.
 */
function checkTombstone(settings: Settings, given: Given): SettingError[] {
  const { registryCacheMs, staleMaxMs, ttl, tombstoneMs } = settings;
  const largestTtlMs = 1000 * Math.max(LARGEST_ENTRY_TTL, ttl.vip);
  const bound = 2 * (registryCacheMs + staleMaxMs + SHIM_STALE_MAX_MS + largestTtlMs);
  if (tombstoneMs >= bound) return [];
  const parts = [
    `registryCacheMs (${durationText(registryCacheMs)})`,
    `staleMaxMs (${durationText(staleMaxMs)})`,
    `the shim's stale limit (${durationText(SHIM_STALE_MAX_MS)})`,
    `the largest TTL (${durationText(largestTtlMs)})`,
  ];
  return [settingError('tombstone', given, `at least "${durationText(bound)}", twice the sum of ${parts.join(', ')}`)];
}

function checkPools({ pools }: Settings, given: Given): SettingError[] {
  try {
    createPool(pools);
    return [];
  } catch (error) {
    if (error instanceof PoolPrefixError) return [settingError('pools.ipv6', given, error.message)];
    throw error;
  }
}
