import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { DnsQuery, Question } from '../dns/query.ts';
import { DohClient } from '../forward/doh-client.ts';
import type { Forwarded, UpstreamFailure } from '../forward/forwarder.ts';
import { NEVER } from '../forward/until-aborted.ts';
import type { Upstream } from '../forward/upstream.ts';
import { UpstreamGroup } from '../forward/upstream-group.ts';
import { checkQuery } from '../resolve/decide.ts';
import { createExchange, type Exchange, type Exchanged, type QueryObserver } from '../resolve/exchange.ts';
import { forwardedAnswer } from '../resolve/forwarded.ts';
import { createResolver, type Resolver } from '../resolve/resolver.ts';
import { specialDecision } from '../resolve/special-names.ts';
import type { TableDiff } from '../table/diff-tables.ts';
import type { MeshTable } from '../table/mesh-table.ts';
import type { View } from '../table/view.ts';
import { addressBook } from './address-book.ts';
import { Bootstrap } from './bootstrap.ts';
import { type Credentials, openCredentials } from './credentials.ts';
import { DnsClient } from './dns-client.ts';
import { Endpoint } from './endpoint.ts';
import type { EndpointState } from './endpoint-health.ts';
import type { Log } from './log.ts';
import { Mesh } from './mesh.ts';
import { messageOf } from './message-of.ts';
import { NOBODYS } from './nobodys-reader.ts';
import { PolicyForwarder } from './policy-forwarder.ts';
import type { RouteTarget } from './route.ts';
import { Routing } from './routing.ts';
import type { ShimSettings } from './settings.ts';
import type { SystemResolvers } from './system-resolvers.ts';
import { fetchTable, type TableReply, tableUrlOf, withoutVips } from './table-source.ts';
import { TableStore } from './table-store.ts';
import { TableWatch } from './table-watch.ts';
import { touchedNames } from './touched-names.ts';
import type { VipCarrier } from './vip-carrier.ts';
import { VipGate } from './vip-gate.ts';
import type { AskOutside } from './vips/look-up.ts';

export interface EngineOptions {
  readonly settings: ShimSettings;
  readonly cache: AnswerCache;
  readonly observer: QueryObserver;
  readonly system: SystemResolvers;
  /** Undefined: virtual IPs are not asked for. */
  readonly vips: VipCarrier | undefined;
  readonly log: Log;
  /** Instead of the instance metadata service. */
  readonly metadataEndpoint?: string | undefined;
}

/** The shim sees what its credential's view sees: here nobody is told from anybody else. */
const ANYBODY: View = {
  namespace: '',
  searchDomains: [],
  clusterDomain: '',
  families: [],
  vips: false,
  forwardUnknown: true,
};

/**
 * Every step of a query has an end of its own, and together they keep to what programs wait for: a timer for each query
 * on top of theirs would outlive it by seconds, and cost more than its answer.
 */
const deadline = (): AbortSignal => NEVER;

/** The query's time is over at the endpoint before it is here: it gives up after 1.5 s. */
const QUERY_TIMEOUT_MS = 2_000;
/** Between two words about one failing route. */
const TOLD_MS = 60_000;
/** An instance of the server may answer from what it knew before a change for so long. */
const SERVER_CACHE_MS = 6_000;

/** Everything between a query and its answer that depends on the settings. */
export class Engine {
  readonly endpoints: readonly Endpoint[];
  readonly table: TableWatch;
  readonly mesh: Mesh;
  readonly #options: EngineOptions;
  readonly #exchange: Exchange;
  readonly #credentials: Credentials;
  readonly #gate: VipGate;
  readonly #routing: Routing;
  readonly #routeGroups = new Map<string, UpstreamGroup>();
  readonly #routeClients: { close(): void }[] = [];
  /** By upstream of a route that failed: when that may be told again. */
  readonly #toldUntil = new Map<string, number>();
  readonly #bootstrap: Bootstrap;
  readonly #ca: string | undefined;

  /** @throws ShimTokenError, ShimAuthoritiesError */
  static async open(options: EngineOptions): Promise<Engine> {
    const { settings, log, metadataEndpoint } = options;
    const ca = settings.caFile === undefined ? undefined : await readAuthorities(settings.caFile);
    const credentials = await openCredentials(settings, log, metadataEndpoint);
    return new Engine(options, credentials, ca);
  }

  private constructor(options: EngineOptions, credentials: Credentials, ca: string | undefined) {
    const { settings, system, cache, observer, vips, log } = options;
    this.#options = options;
    this.#credentials = credentials;
    this.#ca = ca;
    const book = addressBook(settings.stateDir);
    this.#bootstrap = new Bootstrap({ addresses: settings.bootstrap, system, book });
    const urls = settings.endpoints.map((url) => (vips === undefined ? withoutVips(url) : url));
    this.endpoints = urls.map((url) => this.#endpoint(this.#upstream(url)));
    this.table = new TableWatch({
      url: tableUrlOf(urls[0] ?? ''),
      fetch: (etag) => this.#fetchTable(urls, etag),
      store: new TableStore(settings.stateDir),
      intervalMs: settings.tableIntervalMs,
      changed: (table, diff) => this.#onTable(table, diff),
      log,
    });
    this.mesh = new Mesh(() => this.table.confirmedAt);
    this.#gate = new VipGate({
      refresh: () => this.table.refresh(),
      beforeAnswer: async (host) => vips?.ready(host),
    });
    this.#routing = new Routing(settings.routes);
    const forwarder = new PolicyForwarder({
      endpoints: this.endpoints,
      doh: new UpstreamGroup(this.endpoints, QUERY_TIMEOUT_MS),
      others: (target) => this.#groupOf(target),
      system,
      routing: this.#routing,
      mesh: this.mesh,
      gate: this.#gate,
      cache,
      fallback: settings.fallback,
    });
    const ttl = { vip: 300, owned: 30, negative: 30 };
    const own = createResolver({ ttl, privateZones: [] }, { reader: NOBODYS, forwarder, cache });
    const resolver: Resolver = {
      resolve: (query, view, signal) =>
        isAnsweredHere(query) ? own.resolve(query, view, signal) : forwardedAnswer(query, { forwarder, cache }, signal),
    };
    this.#exchange = createExchange(resolver, undefined, observer);
  }

  /** What the cache has: no name is answered here that somebody else could have a say in. */
  known(query: Buffer): Buffer | undefined {
    const { cache, observer } = this.#options;
    const cached = cache.forwarded(query);
    if (cached === undefined || cached.stale) return undefined;
    observer.cached(cached.wire);
    return cached.wire;
  }

  /** Of a query to which the answer is not known. */
  answer(query: Buffer): Exchanged | Promise<Exchanged> {
    return this.#exchange.answer(query, ANYBODY, deadline);
  }

  /** What disk knows is in use when this resolves. */
  start(): Promise<void> {
    return this.table.start();
  }

  /** Looks at credentials and table now. */
  async refresh(): Promise<void> {
    await this.#credentials.refresh();
    await this.table.refresh();
  }

  async close(): Promise<void> {
    this.#credentials.close();
    for (const client of [...this.endpoints, ...this.#routeClients]) client.close();
    await this.table.close();
  }

  /** Puts a query to the route of its name, else to the host's own resolvers, never to the endpoints. */
  readonly askOutside: AskOutside = (query: DnsQuery, question: Question, signal): Promise<Forwarded> => {
    const { system } = this.#options;
    const target = this.#routing.matchOf(question.qname, system.search)?.target;
    const group = target && this.#groupOf(target);
    return group === undefined ? system.ask(query, question, signal) : group.ask(query, question, signal);
  };

  #upstream(url: string): Upstream {
    const { authorize } = this.#credentials;
    return {
      url,
      lookup: this.#bootstrap.lookup,
      ...(authorize !== undefined && { authorize }),
      ...(this.#ca !== undefined && { ca: this.#ca }),
    };
  }

  #endpoint(upstream: Upstream): Endpoint {
    return new Endpoint({
      client: new DohClient(upstream),
      probeZone: () => this.mesh.privateZones[0],
      changed: (endpoint, state) => this.#onEndpoint(endpoint, state),
    });
  }

  #onEndpoint({ origin }: Endpoint, state: EndpointState): void {
    const { log } = this.#options;
    if (state.up) {
      log.info(`endpoint ${origin}: answers again`);
      void this.table.refresh();
      return;
    }
    log.warn(`endpoint ${origin}: ${ADVICE[state.reason]} (${state.message})`);
    if (state.reason === 'unreachable') this.#bootstrap.doubt(new URL(origin).hostname);
    if (state.reason === 'unauthorised' || state.reason === 'not-found') void this.#credentials.refresh();
  }

  /** The first endpoint that is up is asked; when none is, the first of all, which then is probed for its table as well. */
  #fetchTable(urls: readonly string[], etag: string | undefined): Promise<TableReply> {
    const up = this.endpoints.findIndex(({ state }) => state.up);
    const url = urls[Math.max(0, up)] ?? '';
    return fetchTable({ ...this.#upstream(tableUrlOf(url)) }, etag);
  }

  /** The data plane first: no name is answered with an address that is not carried. */
  async #onTable(table: MeshTable | undefined, diff: TableDiff): Promise<void> {
    const { vips, cache } = this.#options;
    if (table !== undefined) await vips?.update(table, diff.everything ? undefined : new Set(diff.hosts));
    this.mesh.use(table);
    this.#gate.use(table);
    if (table === undefined || (!diff.everything && diff.hosts.length === 0)) return;
    const isTouched = touchedNames(table, diff);
    cache.forgetNames(isTouched);
    // An answer that was under way, or that an instance gave which had not seen the change, may have come after it.
    setTimeout(() => cache.forgetNames(isTouched), SERVER_CACHE_MS).unref();
  }

  /** The authorities of the settings are the endpoints'; a route may lead to anybody's server. */
  #routeTrust(): Pick<Upstream, 'ca'> {
    return this.#ca === undefined ? {} : { ca: [...rootCertificates, this.#ca].join('\n') };
  }

  #onRouteFailure({ upstream, kind, message, wire }: UpstreamFailure): void {
    const now = performance.now();
    // That it says SERVFAIL is an answer about a name.
    if (wire !== undefined || now < (this.#toldUntil.get(upstream) ?? 0)) return;
    this.#toldUntil.set(upstream, now + TOLD_MS);
    this.#options.log.warn(`route to ${upstream}: ${kind}: ${message}`);
  }

  #groupOf(target: RouteTarget): UpstreamGroup | undefined {
    if (target.kind === 'doh' || target.kind === 'system') return undefined;
    const key = JSON.stringify(target);
    const known = this.#routeGroups.get(key);
    if (known !== undefined) return known;
    const client =
      target.kind === 'udp'
        ? new DnsClient(target.server)
        : new DohClient({ url: target.url, lookup: this.#bootstrap.lookup, ...this.#routeTrust() });
    const group = new UpstreamGroup([client], QUERY_TIMEOUT_MS, (failure) => this.#onRouteFailure(failure));
    this.#routeClients.push(client);
    this.#routeGroups.set(key, group);
    return group;
  }
}

/** The file of `ca-file` cannot be used. */
export class ShimAuthoritiesError extends Error {
  override readonly name = 'ShimAuthoritiesError';
}

/** Without one certificate in it, nobody would be trusted. @throws ShimAuthoritiesError */
async function readAuthorities(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8');
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  } catch (error) {
    throw new ShimAuthoritiesError(`ca-file ${path}: ${messageOf(error)}`, { cause: error });
  }
  throw new ShimAuthoritiesError(`ca-file ${path}: there is no certificate in it (PEM)`);
}

/** By itself an error, or a special name: no registry and nobody else decides about it. */
function isAnsweredHere(query: DnsQuery): boolean {
  const checked = checkQuery(query);
  return 'rcode' in checked || specialDecision(checked.question) !== undefined;
}

const ADVICE: Readonly<Record<Extract<EndpointState, { up: false }>['reason'], string>> = {
  unreachable: 'cannot be reached',
  unauthorised: 'DOES NOT ACCEPT OUR CREDENTIAL: see token-file and auth',
  'not-found': 'IS NOT THERE: wrong URL, or the token was revoked',
  overloaded: 'asks to be spared',
  'not-ready': 'cannot read its registry',
  failing: 'does not answer as it should',
};
