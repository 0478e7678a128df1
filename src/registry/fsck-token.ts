import { FsckTokenError } from './fsck-report.ts';
import { SeenNames } from './fsck-seen.ts';
import type { ItemKey } from './keys.ts';

/** In this order: a host is the truth of its VIP, a VIP of what its host has forgotten, an entry of its claims. */
export const PHASES = ['hosts', 'pools', 'entries', 'sweep'] as const;

/** Where a run is. */
export interface FsckPosition {
  readonly phase: (typeof PHASES)[number];
  /** Of the phase `pools`. */
  readonly pool: number;
  /** The last item that was looked at. */
  readonly after?: ItemKey;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Names that hosts need. */
  readonly seen: SeenNames;
}

const saltOf = (startedAt: number): string => String(startedAt);

export const startOf = (now: number): FsckPosition => ({
  phase: 'hosts',
  pool: 0,
  startedAt: now,
  seen: new SeenNames(saltOf(now)),
});

export const encodePosition = ({ phase, pool, after, startedAt, seen }: FsckPosition): string =>
  Buffer.from(JSON.stringify([phase, pool, after?.pk ?? '', after?.sk ?? '', startedAt, seen.encode()])).toString(
    'base64url',
  );

/** @throws FsckTokenError for what is no position. */
export function decodePosition(token: string, now: number): FsckPosition {
  try {
    const [phase, pool, pk, sk, startedAt, seen] = JSON.parse(Buffer.from(token, 'base64url').toString());
    const isOne = PHASES.includes(phase) && Number.isInteger(pool) && pool >= 0 && startedAt <= now;
    if (!isOne || typeof pk !== 'string' || typeof sk !== 'string') throw new RangeError('no position');
    const after = pk === '' ? {} : { after: { pk, sk } };
    return { phase, pool, startedAt, seen: SeenNames.decode(saltOf(startedAt), seen), ...after };
  } catch (cause) {
    throw new FsckTokenError('"continue" is not what a part of a run ended with: begin again without it', { cause });
  }
}
