/** An entry as far as moves are concerned. */
export interface HostsOf {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly hosts: readonly string[];
}

export interface MoveOrder {
  /** Positions of the entries, those that gain a moved host before those that lose it. */
  readonly order: readonly number[];
  /** Hosts that the entry at a position loses to others: it is applied after whoever gains them. */
  readonly lost: ReadonlyMap<number, readonly string[]>;
}

const hostKey = ({ namespace }: HostsOf, host: string): string => `${namespace}/${host}`;

/** Who claims a host that it does not claim now, by host. */
function gainersOf(desired: readonly HostsOf[], before: ReadonlyMap<string, HostsOf>): Map<string, number[]> {
  const gainers = new Map<string, number[]>();
  for (const [at, entry] of desired.entries()) {
    const had = new Set(before.get(entry.key)?.hosts);
    for (const host of entry.hosts.filter((candidate) => !had.has(candidate))) {
      const key = hostKey(entry, host);
      gainers.set(key, [...(gainers.get(key) ?? []), at]);
    }
  }
  return gainers;
}

/**
 * The order in which entries are applied so that a host which moves between two of them has an entry at every moment.
 * Where entries swap hosts there is none: the one that is written first goes first, and its virtual IP waits.
 */
export function moveOrder(desired: readonly HostsOf[], current: readonly HostsOf[]): MoveOrder {
  const before = new Map(current.map((entry) => [entry.key, entry]));
  const gainers = gainersOf(desired, before);
  const lost = new Map<number, string[]>();
  const waitsFor = new Map<number, number[]>();
  for (const [at, entry] of desired.entries()) {
    const kept = new Set(entry.hosts);
    const moved = (before.get(entry.key)?.hosts ?? []).filter(
      (host) => !kept.has(host) && gainers.has(hostKey(entry, host)),
    );
    if (moved.length === 0) continue;
    lost.set(at, moved);
    waitsFor.set(
      at,
      moved.flatMap((host) => gainers.get(hostKey(entry, host)) ?? []),
    );
  }
  return { order: depthFirst(desired.length, waitsFor), lost };
}

/** Every position once, after those it waits for as far as they do not wait for it. */
function depthFirst(count: number, waitsFor: ReadonlyMap<number, readonly number[]>): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  const visit = (at: number): void => {
    if (seen.has(at)) return;
    seen.add(at);
    for (const other of waitsFor.get(at) ?? []) visit(other);
    order.push(at);
  };
  for (let at = 0; at < count; at++) visit(at);
  return order;
}
