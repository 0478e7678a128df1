import { canonicalHost } from '../serviceentry/host-name.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { ApplyTarget } from './admin-client.ts';

/** An object to be applied, and the hosts that it will claim. */
export interface Claimant<T> {
  readonly item: T;
  /** `namespace/name` of the entry. */
  readonly key: string;
  readonly hosts: readonly string[];
}

/** One write. An object has several where hosts move: the first that succeeds, or else the last, is its outcome. */
export interface Step<T> {
  readonly item: T;
  /**
   * Hosts of the entry in force that it goes on claiming for the time being, because others take them over only after
   * it. Where there are any, the step prepares the object, and a later one applies it as it is.
   */
  readonly keeps: readonly string[];
  /** Steps with one of these in common must follow each other. */
  readonly meets: readonly string[];
  /** No step of this object comes after it. */
  readonly isLast: boolean;
}

/** The hosts of entries in force, by `namespace/name`. */
export type HostsInForce = ReadonlyMap<string, readonly string[]>;

const canonical = (hosts: readonly string[] = []): ReadonlySet<string> => new Set(hosts.map(canonicalHost));

/** An object that is there twice says two things of one entry: it has no part in a move, and keeps its place. */
function onlyOnce<T>(claimants: readonly Claimant<T>[]): Claimant<T>[] {
  const byKey = Map.groupBy(claimants, ({ key }) => key);
  return [...byKey.values()].flatMap((same) => (same.length === 1 ? same : []));
}

/** Which hosts go from which objects to which others. */
class Moves<T> {
  readonly #takersOfHost: ReadonlyMap<string, readonly Claimant<T>[]>;
  readonly #gives: ReadonlyMap<Claimant<T>, readonly string[]>;

  constructor(claimants: readonly Claimant<T>[], inForce: HostsInForce) {
    const single = onlyOnce(claimants);
    const before = ({ key }: Claimant<T>) => canonical(inForce.get(key));
    const gains = single.flatMap((taker) =>
      [...canonical(taker.hosts).difference(before(taker))].map((host) => ({ host, taker })),
    );
    const byHost = Map.groupBy(gains, ({ host }) => host);
    this.#takersOfHost = new Map([...byHost].map(([host, pairs]) => [host, pairs.map(({ taker }) => taker)]));
    this.#gives = new Map(
      single.map((giver) => {
        const gone = before(giver).difference(canonical(giver.hosts));
        return [giver, [...gone].filter((host) => byHost.has(host))];
      }),
    );
  }

  /** Hosts that it gives up and others take over. */
  givenBy(claimant: Claimant<T>): readonly string[] {
    return this.#gives.get(claimant) ?? [];
  }

  /** Those others. */
  takersFrom(claimant: Claimant<T>): readonly Claimant<T>[] {
    return [...new Set(this.givenBy(claimant).flatMap((host) => this.#takersOfHost.get(host) ?? []))];
  }
}

/** Depth first: whoever takes a host over is done before the one that gives it up. */
class Ordering<T> {
  readonly #moves: Moves<T>;
  readonly #steps: Omit<Step<T>, 'isLast'>[] = [];
  readonly #state = new Map<Claimant<T>, 'begun' | 'widened' | 'done'>();

  constructor(moves: Moves<T>) {
    this.#moves = moves;
  }

  steps(claimants: readonly Claimant<T>[]): Step<T>[] {
    for (const claimant of claimants) this.#visit(claimant);
    const last = new Map(this.#steps.map(({ item }, index) => [item, index]));
    return this.#steps.map((step, index) => ({ ...step, isLast: last.get(step.item) === index }));
  }

  /** Without recursion: a file may move one host on from each of its entries to the next. */
  #visit(first: Claimant<T>): void {
    const path = this.#state.has(first) ? [] : [first];
    for (let one = path.at(-1); one; one = path.at(-1)) {
      if (!this.#state.has(one)) this.#state.set(one, 'begun');
      const ahead = this.#moves.takersFrom(one).find((taker) => !this.#state.has(taker));
      if (ahead) path.push(ahead);
      else {
        path.pop();
        this.#finish(one);
      }
    }
  }

  #finish(giver: Claimant<T>): void {
    const takers = this.#moves.takersFrom(giver);
    for (const taker of takers) {
      // They go round in a circle: this one takes over first, and gives up later.
      if (this.#state.get(taker) === 'begun') this.#add(taker, 'widened', this.#moves.givenBy(taker));
    }
    this.#add(giver, 'done');
    // One that was refused because the giver stood in its way, with another protocol, say, has another try.
    for (const taker of takers) if (this.#state.get(taker) === 'done') this.#add(taker, 'done');
  }

  #add(claimant: Claimant<T>, state: 'widened' | 'done', keeps: readonly string[] = []): void {
    const { item, key, hosts } = claimant;
    this.#state.set(claimant, state);
    this.#steps.push({ item, keeps, meets: [key, ...canonical(hosts), ...this.#moves.givenBy(claimant)] });
  }
}

/**
 * The order in which a host that moves from one entry to another never disappears: entries that gain it come before
 * those that lose it, and where these go round in a circle, one of them claims both its old hosts and its new ones for
 * a while. What has no part in a move stays in the order it is written in.
 */
export const orderMoves = <T>(claimants: readonly Claimant<T>[], inForce: HostsInForce): Step<T>[] =>
  new Ordering(new Moves(claimants, inForce)).steps(claimants);

/** The object, with hosts that it does not give up yet. */
export function widened(target: ApplyTarget, keeps: readonly string[]): ApplyTarget {
  const { spec, ...rest } = target.value as { readonly spec: { readonly hosts: readonly string[] } };
  return { ...target, value: { ...rest, spec: { ...spec, hosts: [...spec.hosts, ...keeps] } } };
}

/** The object as it is: the version that it names is now that of its preparation. */
export function afterPreparation(target: ApplyTarget, prepared: ServiceEntry | undefined): ApplyTarget {
  const { metadata, ...rest } = target.value as { readonly metadata: Readonly<Record<string, unknown>> };
  if (!prepared || metadata.resourceVersion === undefined) return target;
  const { resourceVersion } = prepared.metadata;
  return { ...target, value: { ...rest, metadata: { ...metadata, resourceVersion } } };
}
