import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { HostClaim } from '../serviceentry/claim.ts';
import type { Action, EntryAction } from './action.ts';
import { encodeObject, encodePending } from './dynamodb-items.ts';
import type { StoredEntry } from './state.ts';
import { type SuffixSet, suffixMembers } from './suffixes.ts';
import type { Rejection } from './writer.ts';

/** The store refuses an item over 400 KB; these keep a distance, for writers that do not know of each other. */
const LARGEST_ENTRY_OCTETS = 380 * 1024;
/** Of some 7 octets each. */
const MOST_SUFFIXES = 50_000;

const rejected = (message: string): Rejection => ({ kind: 'rejected', reason: 'TooLarge', message });

/** Why the names of these claims cannot be made findable: one item holds the suffixes of all. */
export function tooManySuffixes(claims: readonly HostClaim[], known: SuffixSet, retiring: number) {
  const added = new Set(claims.flatMap(suffixMembers)).difference(known).size;
  if (added === 0 || known.size + retiring + added <= MOST_SUFFIXES) return undefined;
  return rejected(
    `spec.hosts: ${added} of their suffixes (the last two labels of a host below a public domain, the parent of a wildcard host; once for each namespace in exportTo) ` +
      `are new, and the registry knows ${known.size + retiring}; at most ${MOST_SUFFIXES} fit`,
  );
}

const octetsOfNumber = (number: string): number => Math.ceil(number.length / 2) + 1;

/** As the store counts it. */
export function octetsOf({ S, N, B, SS, NS, M, L, NULL }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return octetsOfNumber(N);
  if (B !== undefined) return B.length;
  if (NULL !== undefined) return 1;
  if (SS !== undefined) return SS.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (NS !== undefined) return NS.reduce((sum, number) => sum + octetsOfNumber(number), 0);
  const inMap = Object.entries(M ?? {}).map(([name, value]) => 1 + Buffer.byteLength(name) + octetsOf(value));
  const inList = (L ?? []).map((value) => 1 + octetsOf(value));
  return [...inMap, ...inList].reduce((sum, octets) => sum + octets, 3);
}

const octetsOfObject = ({ entry }: StoredEntry): number => octetsOf(encodeObject(entry));

function octetsAfter(action: EntryAction, stored: StoredEntry | undefined): number {
  if (action.kind === 'put') return octetsOf(encodeObject(action.entry));
  if (action.kind !== 'begin') return 0;
  return octetsOf(encodePending(action.pending)) + (stored ? octetsOfObject(stored) : 0);
}

/**
 * Why the item of the entry cannot hold what the transaction writes: the entry, and, while it takes several
 * transactions to put in force, also the one before it.
 */
export function tooLargeEntry(actions: readonly Action[], stored: StoredEntry | undefined): Rejection | undefined {
  const [octets = 0] = actions.flatMap((action) => (action.on === 'entry' ? octetsAfter(action, stored) : []));
  if (octets <= LARGEST_ENTRY_OCTETS) return undefined;
  const isAnnounced = actions.some((action) => action.on === 'entry' && action.kind === 'begin');
  const what = isAnnounced ? 'the entry, with the version that it replaces,' : 'the entry';
  return rejected(`spec: ${what} would need ${octets} octets, compressed; at most ${LARGEST_ENTRY_OCTETS} fit`);
}
