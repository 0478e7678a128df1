import type { AnswerCache } from '../cache/answer-cache.ts';
import { EdeCode, Rcode } from '../dns/constants.ts';
import { extendedErrorCodes } from '../dns/extended-errors.ts';
import { parseName, ROOT } from '../dns/name.ts';
import type { DnsQuery, Edns, Question } from '../dns/query.ts';
import { relayResponse } from '../dns/relayed-response.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { Forwarded, Forwarder } from '../forward/forwarder.ts';
import { addressTo } from '../forward/incoming.ts';
import type { UpstreamGroup } from '../forward/upstream-group.ts';
import type { Endpoint } from './endpoint.ts';
import type { Mesh } from './mesh.ts';
import type { RouteTarget } from './route.ts';
import { type RouteMatch, type Routing, zonesBefore } from './routing.ts';
import type { SystemResolvers } from './system-resolvers.ts';
import type { VipGate } from './vip-gate.ts';

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

/** Its padding hides the name (RFC 8467), and its extended errors say why (RFC 8914); the client sees none of it. */
const OWN_EDNS: Edns = { udpSize: 1232, version: 0, do: false, padded: false, hasClientSubnet: false };

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

  async forward(query: DnsQuery, signal: AbortSignal): Promise<Forwarded> {
    const { question } = query;
    if (question === undefined || signal.aborted) return { ok: false, failures: [] };
    const match = this.#ports.routing.matchOf(question.qname, this.#ports.system.search);
    const target = await this.#targetOf(query, match, signal);
    if (target.kind !== 'doh') return this.#byRoute(target, query, question, signal);
    const isGiven = match?.isGiven === true && match.target.kind === 'doh' && match.suffix !== ROOT;
    return this.#overDoh(query, question, isGiven, signal);
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

  async #targetOf(query: DnsQuery, match: RouteMatch | undefined, signal: AbortSignal): Promise<RouteTarget> {
    if (match === undefined || match.target.kind === 'doh') return DOH;
    const { mesh } = this.#ports;
    return (await mesh.owns(query, zonesBefore(match, mesh.privateZones), signal)) ? DOH : match.target;
  }

  async #byRoute(target: RouteTarget, query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    if (target.kind === 'system') return this.#fromSystem(query, question, signal);
    const outcome = await this.#ports.others(target)?.ask(query, question, signal);
    return labelled(outcome ?? { ok: false, failures: [] }, 'route', query, question);
  }

  async #fromSystem(query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    return labelled(await this.#ports.system.ask(query, question, signal), 'system', query, question);
  }

  async #overDoh(query: DnsQuery, question: Question, isGiven: boolean, signal: AbortSignal): Promise<Forwarded> {
    const { doh, gate, endpoints } = this.#ports;
    const failures = endpoints.flatMap(({ origin, state }) => (state.up ? [] : [unreached(origin, state.message)]));
    if (failures.length === endpoints.length) {
      return this.#whenAway(query, question, isGiven, { ok: false, failures }, signal);
    }
    const asked = doh.ask({ ...query, edns: query.edns ?? OWN_EDNS }, question, signal);
    const inTime = await beforeLate(asked);
    const known = inTime === undefined ? await this.#whenLate(query, question, asked, signal) : undefined;
    if (known !== undefined) return known;
    const outcome = inTime ?? (await asked);
    if (outcome.ok) {
      const wire = await gate.admit(query, question, outcome.wire);
      return labelled({ ...outcome, wire }, 'doh', query, question);
    }
    if (isFinal(outcome)) return finalAnswer(outcome, query, question);
    return this.#whenAway(query, question, isGiven, outcome, signal);
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
    const { mesh, cache, doh } = this.#ports;
    const known = await mesh.whenAway(query, signal);
    if (known.kind !== 'answer' && cache.stale(query.wire) === undefined) return undefined;
    void asked.then((late) => {
      if (!late.ok) return;
      const response = addressTo(query.id, question, late.wire);
      cache.keepForwarded(query.wire, relayResponse(query, response, { age: late.age }));
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
    return isOpen ? this.#fromSystem(query, question, signal) : addressed(away, query, question);
  }
}

type Failed = Extract<Forwarded, { ok: false }>;

const DOH: RouteTarget = { kind: 'doh' };

const unreached = (upstream: string, message: string) => ({ upstream, kind: 'transport', message }) as const;

/** What comes in time; undefined when nothing does. */
async function beforeLate(asked: Promise<Forwarded>): Promise<Forwarded | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, LATE_MS, undefined);
  const first = await Promise.race([asked, late]);
  clearTimeout(timer);
  return first;
}

/** The endpoint has spoken: its error stands, and nobody else is asked. Not being ready is no such word. */
const isFinal = (outcome: Failed): boolean =>
  outcome.failures.some(({ wire }) => wire !== undefined && !extendedErrorCodes(wire).includes(EdeCode.notReady));

/** That a view does not forward is an answer, not a failure of the endpoint (extended error 18). */
function finalAnswer(outcome: Failed, query: DnsQuery, question: Question): Forwarded {
  const refused = outcome.failures.findLast(({ wire }) => wire !== undefined && isProhibited(wire));
  if (refused?.wire === undefined) return addressed(outcome, query, question);
  return { ok: true, wire: addressTo(query.id, question, refused.wire), upstream: 'doh', age: 0 };
}

const isProhibited = (wire: Buffer): boolean =>
  rcodeOf(wire) === Rcode.refused && extendedErrorCodes(wire).includes(EdeCode.prohibited);

function labelled(outcome: Forwarded, upstream: AnsweredBy, query: DnsQuery, question: Question): Forwarded {
  if (!outcome.ok) return addressed(outcome, query, question);
  return { ...outcome, upstream, wire: addressTo(query.id, question, outcome.wire) };
}

const addressed = (outcome: Failed, { id }: DnsQuery, question: Question): Forwarded => ({
  ok: false,
  failures: outcome.failures.map((failure) =>
    failure.wire === undefined ? failure : { ...failure, wire: addressTo(id, question, failure.wire) },
  ),
});
