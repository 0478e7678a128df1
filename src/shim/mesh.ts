import { type DomainName, parseName } from '../dns/name.ts';
import type { DnsQuery } from '../dns/query.ts';
import type { RegistryReader } from '../registry/reader.ts';
import { type DecideSettings, decide } from '../resolve/decide.ts';
import type { Decision } from '../resolve/decision.ts';
import { createResolver } from '../resolve/resolver.ts';
import { tableReader } from '../resolve/table-reader.ts';
import type { MeshTable } from '../table/mesh-table.ts';
import type { View } from '../table/view.ts';
import { NOBODYS } from './nobodys-reader.ts';

/** What can be said of a query while no endpoint answers. */
export type AwayAnswer =
  /** From the last known table. */
  | { readonly kind: 'answer'; readonly wire: Buffer }
  /** The mesh's, or private, and not known here: nobody else is asked. */
  | { readonly kind: 'closed' }
  /** Not the mesh's. */
  | { readonly kind: 'open' };

/** What is taken for private until a table says what is. */
const PRIVATE_ZONES = ['cluster.local', 'internal'];

/** A table that nobody has confirmed for longer serves no more: virtual IPs it names may be others' by now. */
const TABLE_MAX_AGE_MS = 24 * 3_600_000;

const OUTSIDE: View = {
  namespace: 'default',
  searchDomains: [],
  clusterDomain: 'cluster.local',
  families: ['ipv4'],
  vips: true,
  forwardUnknown: true,
};

const namesOf = (texts: readonly string[]): DomainName[] => texts.flatMap((text) => parseName(text) ?? []);

interface Known {
  readonly reader: RegistryReader;
  readonly view: View;
  readonly settings: DecideSettings;
}

const UNKNOWN: Known = {
  reader: NOBODYS,
  view: OUTSIDE,
  settings: { ttl: { vip: 300, owned: 30, negative: 30 }, privateZones: namesOf(PRIVATE_ZONES) },
};

/** Behind the endpoint is a plain DoH server: no name is private. */
const NO_MESH: Known = { ...UNKNOWN, settings: { ...UNKNOWN.settings, privateZones: [] } };

/** What is known of the mesh without asking it. */
export class Mesh {
  #known = UNKNOWN;
  table: MeshTable | undefined;
  readonly #isRecent: () => boolean;

  /** `confirmedAt`: when an endpoint last said that the table is the one. */
  constructor(confirmedAt: () => number, now: () => number = Date.now) {
    this.#isRecent = () => Math.abs(now() - confirmedAt()) < TABLE_MAX_AGE_MS;
  }

  get privateZones(): readonly DomainName[] {
    return this.#known.settings.privateZones;
  }

  /** Undefined: the endpoint has no table. */
  use(table: MeshTable | undefined): void {
    this.table = table;
    this.#known = table === undefined ? NO_MESH : knownFrom(table);
  }

  /** Whether a query is the mesh's, for one of these private zones or by being registered. */
  async owns(query: DnsQuery, privateZones: readonly DomainName[], signal: AbortSignal): Promise<boolean> {
    const decision = await this.#decide(query, privateZones, signal);
    return decision.kind !== 'forward' && decision.kind !== 'refused';
  }

  async whenAway(query: DnsQuery, signal: AbortSignal): Promise<AwayAnswer> {
    const { reader, view, settings } = this.#known;
    const decision = await this.#decide(query, settings.privateZones, signal);
    if (decision.kind === 'forward') return { kind: 'open' };
    // What is absent from the last table may have been registered since.
    if (decision.kind === 'nxDomain' || !this.#isRecent()) return { kind: 'closed' };
    const resolver = createResolver(settings, { reader, forwarder: NO_FORWARDER });
    return { kind: 'answer', wire: (await resolver.resolve(query, view, signal)).wire };
  }

  #decide(query: DnsQuery, privateZones: readonly DomainName[], signal: AbortSignal): Promise<Decision> {
    const { reader, view, settings } = this.#known;
    return decide(query, view, { ...settings, privateZones }, { reader, hasRouteFor }, signal);
  }
}

/** Routes have been looked at before the mesh is. */
const hasRouteFor = () => false;

const NO_FORWARDER = {
  forward: async () => ({ ok: false, failures: [] }) as const,
  upstreamsFor: () => [],
  hasRouteFor,
  close: () => Promise.resolve(),
};

function knownFrom(table: MeshTable): Known {
  const ttl = { ...UNKNOWN.settings.ttl, negative: table.negativeTtl };
  return {
    reader: tableReader(table, true),
    view: table.view,
    settings: { ttl, privateZones: namesOf(table.privateZones) },
  };
}
