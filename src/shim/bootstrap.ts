import { isIP, isIPv6, type LookupFunction } from 'node:net';
import type { AddressBook } from './address-book.ts';
import type { SystemResolvers } from './system-resolvers.ts';
import { lookUpWith } from './vips/look-up.ts';

export interface BootstrapPorts {
  /** Used as they are, whatever the host. */
  readonly addresses: readonly string[];
  readonly system: Pick<SystemResolvers, 'ask'>;
  readonly book: AddressBook;
  readonly now?: () => number;
}

interface Known {
  readonly addresses: readonly string[];
  /** Milliseconds; 0: from disk. */
  readonly resolvedAt: number;
}

/** Servers move, and their old addresses can go on answering for a while. */
const RENEW_MS = 60_000;

/**
 * Where endpoints are, found without the shim: by settings, by what served last time, else by the host's own resolvers.
 * A cold boot needs no resolver at all then.
 */
export class Bootstrap {
  readonly #ports: BootstrapPorts;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #doubted = new Set<string>();
  #loading: Promise<void> | undefined;

  constructor(ports: BootstrapPorts) {
    this.#ports = ports;
    this.#now = ports.now ?? Date.now;
  }

  /** For sockets. */
  readonly lookup: LookupFunction = (host, { all }, callback) => {
    this.addressesOf(host).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
        const [first] = found;
        if (first === undefined) callback(notFound(host), '');
        else if (all) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };

  async addressesOf(host: string): Promise<readonly string[]> {
    if (this.#ports.addresses.length > 0) return this.#ports.addresses;
    if (isIP(host) > 0) return [host];
    if (host === 'localhost') return ['127.0.0.1', '::1'];
    this.#loading ??= this.#load();
    await this.#loading;
    const known = this.#known.get(host);
    if (known === undefined || this.#doubted.has(host)) return (await this.#resolve(host)) ?? known?.addresses ?? [];
    if (this.#now() - known.resolvedAt > RENEW_MS) void this.#resolve(host);
    return known.addresses;
  }

  /** Nobody could be reached there: the next look-up asks before it believes what it knows. */
  doubt(host: string): void {
    this.#doubted.add(host);
  }

  async #resolve(host: string): Promise<readonly string[] | undefined> {
    const { system } = this.#ports;
    const { ipv4 = [], ipv6 = [] } = (await lookUpWith((...asked) => system.ask(...asked))(host)) ?? {};
    const addresses = [...ipv4, ...ipv6];
    if (addresses.length === 0) return undefined;
    this.#doubted.delete(host);
    const before = this.#known.get(host)?.addresses ?? [];
    this.#known.set(host, { addresses, resolvedAt: this.#now() });
    if (addresses.join() !== before.join()) await this.#save();
    return addresses;
  }

  async #load(): Promise<void> {
    const kept = await this.#ports.book.read().catch(() => ({}));
    for (const [host, addresses] of Object.entries(kept)) this.#known.set(host, { addresses, resolvedAt: 0 });
  }

  /** What could not be written is looked up again after the next boot. */
  async #save(): Promise<void> {
    const addresses = Object.fromEntries([...this.#known].map(([host, known]) => [host, known.addresses]));
    await this.#ports.book.write(addresses).catch(() => undefined);
  }
}

const notFound = (host: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`no address of ${host}: not among --bootstrap, not from this host's own resolvers`), {
    code: 'ENOTFOUND',
  });
