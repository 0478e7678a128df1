import type { AnswerCache } from '../cache/answer-cache.ts';
import { EdeCode } from '../dns/constants.ts';
import { extendedErrorCodes } from '../dns/extended-errors.ts';
import { parseName, ROOT } from '../dns/name.ts';
import type { DnsQuery, Edns, Question } from '../dns/query.ts';
import type { Forwarded, Forwarder } from '../forward/forwarder.ts';
import type { OutgoingTraits } from '../forward/outgoing.ts';
import type { UpstreamGroup } from '../forward/upstream-group.ts';
import { keptForwarded } from '../resolve/forwarded.ts';
import type { Endpoint } from './endpoint.ts';
import type { Mesh } from './mesh.ts';
import type { RouteTarget } from './route.ts';
import { type RouteMatch, type Routing, zonesBefore } from './routing.ts';
import type { SystemResolvers } from './system-resolvers.ts';
import type { VipGate } from './vip-gate.ts';
import { within } from './within.ts';

/** Who answered, as metrics name it. */
export type AnsweredBy = 'doh' | 'table' | 'system' | 'route';

export interface PolicyPorts {
  readonly endpoints: readonly Endpoint[];
  /** The same, in their order. */
  readonly doh: UpstreamGroup;
  /** For each target that is neither. */
  readonly others: (target: RouteTarget) => UpstreamGroup | undefined;
  readonly system: SystemResolvers;
  readonly routing: Routing;
  readonly mesh: Mesh;
  readonly gate: Pick<VipGate, 'admit'>;
  readonly cache: Pick<AnswerCache, 'stale' | 'keepForwarded'>;
  readonly fallback: 'system' | 'none';
}

/** Programs begin to give up after two seconds; an older answer then is better than none (RFC 8767 section 5). */
const LATE_MS = 1_800;

/** Seconds. What somebody else says meanwhile must not outlive the outage for long: it may be a portal's, or a zone's outside. */
const FALLBACK_TTL = 30;

/** Its padding hides the name (RFC 8467), and its extended errors say why (RFC 8914); the client sees none of it. */
const OWN_EDNS: Edns = { udpSize: 1232, version: 0, do: false, padded: false, hasClientSubnet: false };

const withOwnEdns = ({ rd, ad, cd }: DnsQuery): OutgoingTraits => ({ rd, ad, cd, edns: OWN_EDNS });

/**
 * Whom a query is put to, and what happens when nobody answers:
 *  1. a name under a route goes where the route says, unless the mesh knows better;
 *  2. anything else goes to the endpoints;
 *  3. when they are away or late, names of the mesh are answered from its table, and private ones by nobody else;
 *  4. all others go to the resolvers that the host had before, if the settings allow it.
 */
export class PolicyForwarder implements Forwarder {
  readonly #ports: PolicyPorts;

  constructor(ports: PolicyPorts) {
    this.#ports = ports;
  }

  forward(query: DnsQuery, signal: AbortSignal): Promise<Forwarded> {
    const { question } = query;
    if (question === undefined || signal.aborted) return Promise.resolve({ ok: false, failures: [] });
    const match = this.#ports.routing.matchOf(question.qname, this.#ports.system.search);
    if (match !== undefined && match.target.kind !== 'doh') return this.#byRoute(match, query, question, signal);
    return this.#overDoh(query, question, match?.isGiven === true && match.suffix !== ROOT, signal);
  }

  upstreamsFor(name: string): readonly string[] {
    const qname = parseName(name);
    const target = qname && this.#ports.routing.matchOf(qname, this.#ports.system.search)?.target;
    return target === undefined || target.kind === 'doh' ? this.#ports.doh.origins : [target.kind];
  }

  hasRouteFor(): boolean {
    return false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #byRoute(match: RouteMatch, query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    const { mesh, others } = this.#ports;
    const { target } = match;
    const zones = zonesBefore(match, mesh.privateZones);
    if (await mesh.owns(query, zones, signal)) return this.#overDoh(query, question, false, signal);
    if (target.kind === 'system') return this.#fromSystem(query, question, signal);
    const outcome = await others(target)?.ask(query, question, signal);
    return labelled(outcome ?? { ok: false, failures: [] }, 'route');
  }

  async #fromSystem(query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    return labelled(await this.#ports.system.ask(query, question, signal), 'system');
  }

  #overDoh(query: DnsQuery, question: Question, isGiven: boolean, signal: AbortSignal): Promise<Forwarded> {
    const { doh, endpoints } = this.#ports;
    if (endpoints.every(({ state }) => !state.up)) {
      const failures = endpoints.flatMap(({ origin, state }) => (state.up ? [] : [unreached(origin, state.message)]));
      return this.#whenAway(query, question, isGiven, { ok: false, failures }, signal);
    }
    const asked = doh.ask(query.edns === undefined ? withOwnEdns(query) : query, question, signal);
    const concluded = (outcome: Forwarded) => this.#concluded(outcome, query, question, isGiven, signal);
    return within(LATE_MS, asked).then((inTime) =>
      inTime === undefined
        ? this.#whenLate(query, question, asked, signal).then((known) => known ?? asked.then(concluded))
        : concluded(inTime),
    );
  }

  #concluded(
    outcome: Forwarded,
    query: DnsQuery,
    question: Question,
    isGiven: boolean,
    signal: AbortSignal,
  ): Forwarded | Promise<Forwarded> {
    if (!outcome.ok) {
      return isFinal(outcome) ? outcome : this.#whenAway(query, question, isGiven, outcome, signal);
    }
    const { age } = outcome;
    const admitted = this.#ports.gate.admit(query, question, outcome.wire);
    if (admitted === outcome.wire) return { ...outcome, upstream: 'doh' };
    return Promise.resolve(admitted).then((wire) => ({ ok: true, wire, upstream: 'doh', age }));
  }

  /**
   * What is known is said now, and the answer, when it comes, is for those who ask next. Undefined: nothing is known,
   * so waiting goes on.
   */
  async #whenLate(
    query: DnsQuery,
    question: Question,
    asked: Promise<Forwarded>,
    signal: AbortSignal,
  ): Promise<Forwarded | undefined> {
    const { mesh, cache, doh, gate } = this.#ports;
    const known = await mesh.whenAway(query, signal);
    if (known.kind !== 'answer' && cache.stale(query.wire) === undefined) return undefined;
    void asked.then(async (late) => {
      if (!late.ok) return;
      const wire = await gate.admit(query, question, late.wire);
      keptForwarded(query, { ok: true, wire, upstream: 'doh', age: late.age }, cache);
    });
    if (known.kind === 'answer') return { ok: true, wire: known.wire, upstream: 'table', age: 0 };
    return { ok: false, failures: doh.origins.map((origin) => unreached(origin, 'late')) };
  }

  async #whenAway(
    query: DnsQuery,
    question: Question,
    isGiven: boolean,
    away: Failed,
    signal: AbortSignal,
  ): Promise<Forwarded> {
    const known = await this.#ports.mesh.whenAway(query, signal);
    if (known.kind === 'answer') return { ok: true, wire: known.wire, upstream: 'table', age: 0 };
    const isOpen = known.kind === 'open' && !isGiven && this.#ports.fallback === 'system';
    if (!isOpen) return away;
    const outcome = await this.#fromSystem(query, question, signal);
    return outcome.ok ? { ...outcome, maxTtl: FALLBACK_TTL } : outcome;
  }
}

type Failed = Extract<Forwarded, { ok: false }>;

const unreached = (upstream: string, message: string) => ({ upstream, kind: 'transport', message }) as const;

/** The endpoint has spoken: its error stands, and nobody else is asked. Not being ready is no such word. */
const isFinal = (outcome: Failed): boolean =>
  outcome.failures.some(({ wire }) => wire !== undefined && !extendedErrorCodes(wire).includes(EdeCode.notReady));

const labelled = (outcome: Forwarded, upstream: AnsweredBy): Forwarded =>
  outcome.ok ? { ...outcome, upstream } : outcome;
