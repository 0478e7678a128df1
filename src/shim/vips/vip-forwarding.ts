import { isIP } from 'node:net';
import type { MeshTable } from '../../table/mesh-table.ts';
import { messageOf } from '../message-of.ts';
import type { Gauge } from '../metrics.ts';
import type { Reachable } from '../vip-carrier.ts';
import {
  changeCommands,
  changesBetween,
  type Element,
  type ElementChanges,
  elementsOf,
  endedUdpFlows,
  type UdpFlow,
} from './elements.ts';
import { EndpointNames, type LookUp } from './endpoint-names.ts';
import { listenersOf, type VipListener } from './listeners.ts';
import { PROBE, REMOVE_TABLE, TABLE, type VipPrefixes, wholeTable } from './ruleset.ts';
import { resolvedTargets } from './targets.ts';

/** Changes the kernel's rules. Both reject with an NftError, and have then changed nothing. */
export interface NftPort {
  /** Any number of commands, as one transaction. */
  apply(ruleset: string): Promise<void>;
  /** A few commands, quickly. */
  send(commands: readonly string[]): Promise<void>;
  close(): void;
}

/** Makes VIPs reach the rules. */
export interface RoutesPort {
  /** Which route of the host's own is in the way. */
  clash(prefixes: VipPrefixes): Promise<string | undefined>;
  /** Adds what is missing; resolves to what could not be done, a line each. */
  add(prefixes: VipPrefixes): Promise<readonly string[]>;
  remove(prefixes: VipPrefixes): Promise<void>;
}

export interface VipForwardingOptions {
  readonly nft: NftPort;
  readonly routes: RoutesPort;
  /** Where the kernel sends connections when this begins. */
  readonly held: () => Promise<readonly Element[]>;
  readonly forgetUdpFlows: (flows: readonly UdpFlow[]) => Promise<void>;
  readonly lookUp: LookUp;
  /** What an earlier run left. */
  readonly memory: VipMemory;
  /** Told of what the next run should know. */
  readonly remember: (memory: VipMemory) => void;
  readonly counters: () => Promise<readonly Gauge[]>;
  readonly log: (line: string) => void;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** What outlives the process. */
export interface VipMemory {
  /** Those that may have routes. */
  readonly prefixes: VipPrefixes;
  /** Addresses by name. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

export type VipState =
  | { readonly kind: 'off' }
  | { readonly kind: 'on'; readonly listeners: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** How soon a flushed ruleset is noticed: packets of established connections that come before are lost. */
const PROBE_MS = 1_000;
/** How soon a route that is gone is put back, and a failed change tried again. */
const TEND_MS = 5_000;
/** More than so many are sent to a process of their own, which takes them in one go. */
const MAX_SENT = 500;

interface Host {
  readonly listeners: readonly VipListener[];
  /** What the kernel holds for it. */
  elements: Element[];
}

/**
 * Keeps the kernel's maps equal to the table and to what its names resolve to. Stopping leaves the maps in place: VIPs
 * go on working without the shim.
 */
export class VipForwarding {
  readonly #options: VipForwardingOptions;
  readonly #names: EndpointNames;
  readonly #hosts = new Map<string, Host>();
  readonly #usersOf = new Map<string, Set<string>>();
  readonly #dirty = new Set<string>();
  #prefixes: VipPrefixes = NO_PREFIXES;
  /** Those that may have routes: of this run and the ones before. */
  #routed: VipPrefixes;
  #hasBegun = false;
  #pools: MeshTable['pools'] = [];
  /** The table in the kernel is not ours, or not as we think. */
  #mustReplace = true;
  #work: Promise<void> = Promise.resolve();
  #probing: NodeJS.Timeout | undefined;
  #tending: NodeJS.Timeout | undefined;
  #isProbing = false;
  #failure: string | undefined;
  /** Of the routes. */
  #problems = '';

  constructor(options: VipForwardingOptions) {
    this.#options = options;
    this.#routed = options.memory.prefixes;
    this.#names = new EndpointNames({
      lookUp: options.lookUp,
      now: options.now,
      changed: (names) => {
        this.#touch(names.flatMap((name) => [...(this.#usersOf.get(name) ?? [])]));
        void this.#reconcile().then(() => this.#remember());
      },
    });
  }

  /**
   * Resolves when the kernel holds the table, as far as its names are known. `changed`: the hosts that differ from the
   * table before; all when absent. Never rejects.
   */
  async update(table: MeshTable, changed?: ReadonlySet<string>): Promise<void> {
    const prefixes = { ipv4: table.pools.map(({ ipv4 }) => ipv4), ipv6: table.pools.map(({ ipv6 }) => ipv6) };
    if (JSON.stringify(prefixes) !== JSON.stringify(this.#prefixes)) this.#mustReplace = true;
    this.#prefixes = prefixes;
    this.#pools = table.pools;
    this.#adopt(table, changed);
    this.#names.track(new Set(this.#usersOf.keys()), this.#options.memory.names);
    this.#probing ??= setInterval(() => void this.#probe(), PROBE_MS).unref();
    this.#tending ??= setInterval(() => void this.#tend(), TEND_MS).unref();
    await this.#reconcile();
    this.#remember();
  }

  /**
   * Before a VIP of this host is given to anybody: looks up names that never resolved, and waits until the kernel has
   * them. Undefined: not a host whose VIPs are carried here. The caller bounds the wait.
   */
  async ready(host: string): Promise<Reachable | undefined> {
    const known = this.#hosts.get(host);
    if (known === undefined) return undefined;
    await this.#names.asked(namesOf(known.listeners));
    await this.#reconcile();
    return {
      ipv4: known.elements.some(({ variable }) => variable === 'listeners4'),
      ipv6: known.elements.some(({ variable }) => variable === 'listeners6'),
    };
  }

  state(): VipState {
    if (this.#failure !== undefined) return { kind: 'failed', reason: this.#failure };
    if (this.#probing === undefined) return { kind: 'off' };
    return {
      kind: 'on',
      listeners: [...this.#hosts.values()].reduce((sum, { listeners }) => sum + listeners.length, 0),
    };
  }

  counters(): Promise<readonly Gauge[]> {
    return this.#options.counters();
  }

  async stop(): Promise<void> {
    clearInterval(this.#probing);
    this.#probing = undefined;
    clearInterval(this.#tending);
    this.#tending = undefined;
    this.#names.stop();
    await this.#work;
    this.#options.nft.close();
  }

  /** Takes over what a table says of some hosts, or of all. */
  #adopt({ hosts }: MeshTable, changed: ReadonlySet<string> | undefined): void {
    const gone = new Set(changed ?? this.#hosts.keys());
    for (const host of hosts) {
      if (changed !== undefined && !changed.has(host.host)) continue;
      gone.delete(host.host);
      this.#use(host.host, listenersOf(host));
    }
    for (const host of gone) this.#use(host, []);
  }

  #use(host: string, listeners: readonly VipListener[]): void {
    const known = this.#hosts.get(host);
    if (known === undefined && listeners.length === 0) return;
    for (const name of namesOf(known?.listeners ?? [])) {
      const users = this.#usersOf.get(name);
      users?.delete(host);
      if (users?.size === 0) this.#usersOf.delete(name);
    }
    for (const name of namesOf(listeners)) {
      this.#usersOf.set(name, (this.#usersOf.get(name) ?? new Set()).add(host));
    }
    this.#hosts.set(host, { listeners, elements: known?.elements ?? [] });
    this.#dirty.add(host);
  }

  #touch(hosts: readonly string[]): void {
    for (const host of hosts) this.#dirty.add(host);
  }

  /** Brings the kernel up to date; those who come meanwhile wait for what they need, and no longer. */
  #reconcile(): Promise<void> {
    if (this.#dirty.size === 0 && !this.#mustReplace) return this.#work;
    this.#work = this.#work.then(() => this.#commit());
    return this.#work;
  }

  async #commit(): Promise<void> {
    if (this.#prefixes.ipv4.length === 0 || (this.#dirty.size === 0 && !this.#mustReplace)) return;
    const wanted = new Map([...this.#dirty].map((host) => [host, this.#wanted(host)] as const));
    this.#dirty.clear();
    const before = [...wanted.keys()].flatMap((host) => this.#hosts.get(host)?.elements ?? []);
    const after = [...wanted.values()].flat();
    const held = this.#hasBegun ? before : [...before, ...(await this.#options.held())];
    const ended = endedUdpFlows(held, after);
    try {
      if (!this.#mustReplace) await this.#change(changesBetween(before, after)).catch(() => this.#replace(wanted));
      else await this.#replace(wanted);
      this.#settle(wanted);
      this.#hasBegun = true;
    } catch (error) {
      this.#touch([...wanted.keys()]);
      this.#mustReplace = true;
      this.#fail(messageOf(error));
      return;
    }
    if (ended.length > 0) await this.#options.forgetUdpFlows(ended);
  }

  #wanted(host: string): Element[] {
    const listeners = this.#hosts.get(host)?.listeners ?? [];
    const addressesOf = (name: string) => this.#names.addressesOf(name);
    return listeners.flatMap((listener) =>
      elementsOf(listener, resolvedTargets(listener.targets, addressesOf, this.#pools)),
    );
  }

  async #change(changes: ElementChanges): Promise<void> {
    const size = changes.removed.length + changes.added.length;
    if (size === 0) return;
    const commands = changeCommands(TABLE, changes);
    if (size > MAX_SENT) await this.#options.nft.apply(`${commands.join('\n')}\n`);
    else await this.#options.nft.send(commands);
  }

  /** The whole table: at the start, with other pools, and when what the kernel holds is not what was thought. */
  async #replace(wanted: ReadonlyMap<string, readonly Element[]>): Promise<void> {
    const { nft, routes } = this.#options;
    this.#mustReplace = true;
    const clash = await routes.clash(this.#prefixes);
    if (clash !== undefined) {
      await this.#withdraw();
      throw new Error(clash);
    }
    const elements = [...this.#hosts].flatMap(([host, known]) => wanted.get(host) ?? known.elements);
    await nft.apply(wholeTable(this.#prefixes, elements));
    await routes.remove(without(this.#routed, this.#prefixes));
    this.#routed = this.#prefixes;
    await this.#addRoutes();
    this.#mustReplace = false;
  }

  /** Where there is no IPv6, its routes cannot be added again and again: that is said once. */
  async #addRoutes(): Promise<void> {
    const problems = (await this.#options.routes.add(this.#prefixes)).join('; ');
    if (problems !== '' && problems !== this.#problems) this.#options.log(`vips: ${problems}`);
    this.#problems = problems;
  }

  /** What is behind a route of the host's own is not ours: neither to carry, nor to refuse. */
  async #withdraw(): Promise<void> {
    const { nft, routes } = this.#options;
    await nft.apply(REMOVE_TABLE);
    await routes.remove(this.#routed);
    this.#routed = NO_PREFIXES;
  }

  #settle(wanted: ReadonlyMap<string, Element[]>): void {
    for (const [host, elements] of wanted) {
      const known = this.#hosts.get(host);
      if (known === undefined) continue;
      known.elements = elements;
      if (known.listeners.length === 0) this.#hosts.delete(host);
    }
    if (this.#failure !== undefined) this.#options.log('vips: carried again');
    this.#failure = undefined;
  }

  #fail(reason: string): void {
    if (reason !== this.#failure) this.#options.log(`vips: cannot be carried: ${reason}`);
    this.#failure = reason;
  }

  async #probe(): Promise<void> {
    if (this.#mustReplace || this.#isProbing) return;
    this.#isProbing = true;
    try {
      await this.#options.nft.send([PROBE]);
    } catch {
      this.#options.log('vips: somebody removed the table; it is put back');
      this.#mustReplace = true;
      await this.#reconcile();
    } finally {
      this.#isProbing = false;
    }
  }

  /** Queued behind what is under way, which may be about to change the routes itself. */
  async #tend(): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#mustReplace || this.#prefixes.ipv4.length === 0) return;
      if ((await this.#options.routes.clash(this.#prefixes)) !== undefined) this.#mustReplace = true;
      else await this.#addRoutes();
    });
    await this.#work;
    await this.#reconcile();
  }

  #remember(): void {
    this.#options.remember({ prefixes: this.#routed, names: this.#names.resolved() });
  }
}

const NO_PREFIXES: VipPrefixes = { ipv4: [], ipv6: [] };

/** The prefixes of one that the other lacks. */
const without = (some: VipPrefixes, others: VipPrefixes): VipPrefixes => ({
  ipv4: some.ipv4.filter((prefix) => !others.ipv4.includes(prefix)),
  ipv6: some.ipv6.filter((prefix) => !others.ipv6.includes(prefix)),
});

const namesOf = (listeners: readonly VipListener[]): string[] => [
  ...new Set(
    listeners.flatMap(({ targets }) => targets.flatMap(({ address }) => (isIP(address) === 0 ? [address] : []))),
  ),
];
