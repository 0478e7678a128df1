import { type DomainName, parentOf, parseName, ROOT } from '../dns/name.ts';
import type { DnsQuery } from '../dns/query.ts';
import { DohClient } from './doh-client.ts';
import type { Forwarded, Forwarder, UpstreamFailure } from './forwarder.ts';
import type { Upstream } from './upstream.ts';
import { UpstreamGroup } from './upstream-group.ts';

export interface ForwardSettings {
  /** In order of preference. */
  readonly upstreams: readonly Upstream[];
  /** By suffix, instead of `upstreams`. The longest suffix wins, on label boundaries; `.` replaces the default. */
  readonly routes?: ReadonlyMap<DomainName, readonly Upstream[]>;
  /** For one attempt at one upstream. */
  readonly upstreamTimeoutMs: number;
  /** Wall clock in milliseconds. */
  readonly now?: () => number;
  /** Told of every attempt that failed, also where another upstream answered. */
  readonly failed?: (failure: UpstreamFailure) => void;
}

/** A forwarder that need not wait for its first query. */
export interface ConnectingForwarder extends Forwarder {
  /** Connects to all upstreams at once, as far as the signal lets it. Never rejects. */
  connect(signal: AbortSignal): Promise<void>;
}

/** Throws an InvalidUpstreamError. Connects when first asked, or told to. */
export function createForwarder(settings: ForwardSettings): ConnectingForwarder {
  return new UpstreamForwarder(settings);
}

class UpstreamForwarder implements ConnectingForwarder {
  /** By URL and trust, so that routes to one server share its connection. */
  readonly #clients = new Map<string, DohClient>();
  readonly #default: UpstreamGroup;
  readonly #routes: ReadonlyMap<DomainName, UpstreamGroup>;

  constructor(settings: ForwardSettings) {
    const { upstreams, routes = new Map(), upstreamTimeoutMs, now = Date.now, failed } = settings;
    const group = (members: readonly Upstream[]) =>
      new UpstreamGroup(
        [...new Set(members.map((upstream) => this.#client(upstream, now)))],
        upstreamTimeoutMs,
        failed,
      );
    const bySuffix = new Map([...routes].map(([suffix, members]) => [suffix, group(members)]));
    this.#default = bySuffix.get(ROOT) ?? group(upstreams);
    bySuffix.delete(ROOT);
    this.#routes = bySuffix;
  }

  forward(query: DnsQuery, signal: AbortSignal): Promise<Forwarded> {
    const { question } = query;
    if (question === undefined || signal.aborted) return Promise.resolve({ ok: false, failures: [] });
    return (this.#routeFor(question.qname) ?? this.#default).ask(query, question, signal);
  }

  upstreamsFor(name: string): readonly string[] {
    const qname = parseName(name);
    return qname === undefined ? [] : (this.#routeFor(qname) ?? this.#default).origins;
  }

  hasRouteFor(name: string): boolean {
    const zone = parseName(name);
    return zone !== undefined && this.#routeFor(zone) !== undefined;
  }

  async connect(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.connect(signal)));
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
  }

  #routeFor(name: DomainName): UpstreamGroup | undefined {
    if (this.#routes.size === 0) return undefined;
    for (let suffix: DomainName | undefined = name; suffix !== undefined; suffix = parentOf(suffix)) {
      const group = this.#routes.get(suffix);
      if (group !== undefined) return group;
    }
    return undefined;
  }

  #client(upstream: Upstream, now: () => number): DohClient {
    const key = JSON.stringify([upstream.url, upstream.bootstrap ?? [], upstream.ca]);
    const client = this.#clients.get(key) ?? new DohClient(upstream, now);
    this.#clients.set(key, client);
    return client;
  }
}
