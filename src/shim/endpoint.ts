import { EdeCode, Rcode, RRType } from '../dns/constants.ts';
import { extendedErrorCodes } from '../dns/extended-errors.ts';
import { type DomainName, ROOT } from '../dns/name.ts';
import { type DnsQuery, decodeQuery, encodeQuery, type Question } from '../dns/query.ts';
import { rcodeOf, recordsOf } from '../dns/walk.ts';
import { Attempt } from '../forward/attempt.ts';
import type { DohClient } from '../forward/doh-client.ts';
import { encodeOutgoing } from '../forward/outgoing.ts';
import type { Exchanged, UpstreamClient } from '../forward/upstream-client.ts';
import { EndpointHealth, type EndpointState, probeDelayMs, verdictOf } from './endpoint-health.ts';

export interface EndpointPorts {
  readonly client: DohClient;
  /** A zone of the mesh, once one is known: asking for it makes the endpoint look into its registry. */
  readonly probeZone: () => DomainName | undefined;
  /** Told of every change between up and down, and of another reason for down. */
  readonly changed: (endpoint: Endpoint, state: EndpointState) => void;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** For a whole probe, connecting included. */
const PROBE_TIMEOUT_MS = 2_000;

/**
 * A DoH endpoint that is not asked while it is down: its queries fail at once, so that the policy for that case is
 * followed without waiting, and probes find out when it is back.
 */
export class Endpoint implements UpstreamClient {
  readonly origin: string;
  readonly #ports: EndpointPorts;
  readonly #health = new EndpointHealth();
  #probeTimer: NodeJS.Timeout | undefined;
  #probes = 0;
  #closed = false;

  constructor(ports: EndpointPorts) {
    this.#ports = ports;
    this.origin = ports.client.origin;
  }

  get state(): EndpointState {
    return this.#health.state;
  }

  exchange(wire: Buffer, question: Question, attempt: Attempt): Promise<Exchanged> {
    const { state } = this.#health;
    if (state.up) return this.#ask(wire, question, attempt);
    return Promise.resolve({ ok: false, kind: 'transport', message: `down (${state.reason}): ${state.message}` });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#probeTimer);
    this.#ports.client.close();
  }

  #ask(wire: Buffer, question: Question, attempt: Attempt): Promise<Exchanged> {
    const { client } = this.#ports;
    return client.exchange(wire, question, attempt).then((exchanged) => {
      if (this.#health.note(verdictOf(exchanged, client.isConnected, attempt.isOverdue))) this.#onChange();
      return exchanged.ok || exchanged.wire === undefined ? exchanged : judged(exchanged, exchanged.wire);
    });
  }

  #onChange(): void {
    if (this.#closed) return;
    this.#probes = 0;
    this.#scheduleProbe();
    this.#ports.changed(this, this.state);
  }

  #scheduleProbe(): void {
    clearTimeout(this.#probeTimer);
    if (this.state.up || this.#closed) return;
    const delayMs = probeDelayMs(this.#probes++, (this.#ports.random ?? Math.random)());
    this.#probeTimer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #probe(): Promise<void> {
    const { query, question } = probeQuery(this.#ports.probeZone() ?? ROOT);
    const attempt = new Attempt(PROBE_TIMEOUT_MS);
    await this.#ask(encodeOutgoing(query, question), question, attempt);
    attempt.end();
    this.#scheduleProbe();
  }
}

/** That a view does not forward is an answer, not a failure: nobody else is asked (extended error 18). */
function judged(failed: Exchanged, wire: Buffer): Exchanged {
  const isProhibited = rcodeOf(wire) === Rcode.refused && extendedErrorCodes(wire).includes(EdeCode.prohibited);
  return isProhibited ? { ok: true, wire, records: recordsOf(wire) ?? [], age: 0 } : failed;
}

function probeQuery(qname: DomainName): { query: DnsQuery; question: Question } {
  const decoded = decodeQuery(encodeQuery({ qname, qtype: RRType.SOA, edns: { udpSize: 1232 } }));
  if (!decoded.ok || decoded.query.question === undefined) throw new Error('a probe that is no query');
  return { query: decoded.query, question: decoded.query.question };
}
