import { type DomainName, parseName, ROOT } from '../dns/name.ts';
import type { DnsQuery, Question } from '../dns/query.ts';
import type { Forwarded } from '../forward/forwarder.ts';
import { UpstreamGroup } from '../forward/upstream-group.ts';
import { DnsClient } from './dns-client.ts';
import { type SocketAddress, socketText } from './socket-address.ts';

/** What the host asked before the shim, and asks through it. */
export interface OriginalServers {
  readonly servers: readonly SocketAddress[];
  readonly search: readonly string[];
}

/** A lease may bring other servers; a file is not read for every query. */
const REREAD_MS = 5_000;
/** For one server. */
const TIMEOUT_MS = 2_000;

/** The resolvers that the host has without the shim, in their order. */
export class SystemResolvers {
  readonly #read: () => Promise<OriginalServers>;
  readonly #now: () => number;
  #servers: OriginalServers = { servers: [], search: [] };
  #search: ReadonlySet<DomainName> = new Set();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #clients: readonly DnsClient[] = [];
  #group = new UpstreamGroup([], TIMEOUT_MS);

  /** `read` tells what they are now. */
  constructor(read: () => Promise<OriginalServers>, now: () => number = Date.now) {
    this.#read = read;
    this.#now = now;
  }

  async current(): Promise<OriginalServers> {
    if (Math.abs(this.#now() - this.#readAt) > REREAD_MS) {
      this.#reading ??= this.#reread();
      await this.#reading;
    }
    return this.#servers;
  }

  /** The host's search domains but the root, as they were when last read; without waiting. */
  get search(): ReadonlySet<DomainName> {
    return this.#search;
  }

  async ask(query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    await this.current();
    return this.#group.ask(query, question, signal);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #reread(): Promise<void> {
    try {
      const found = await this.#read();
      if (textOf(found) !== textOf(this.#servers)) this.#use(found.servers);
      this.#servers = found;
      this.#search = new Set(found.search.flatMap((text) => parseName(text) ?? []).filter((name) => name !== ROOT));
    } catch {
      // Those that were known go on serving.
    }
    this.#readAt = this.#now();
    this.#reading = undefined;
  }

  /** Queries under way end with the clients that they are with. */
  #use(servers: readonly SocketAddress[]): void {
    this.#clients = servers.map((server) => new DnsClient(server));
    this.#group = new UpstreamGroup(this.#clients, TIMEOUT_MS);
  }
}

const textOf = ({ servers }: OriginalServers): string => servers.map(socketText).join(' ');
