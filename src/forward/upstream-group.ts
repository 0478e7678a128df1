import type { DnsQuery, Question } from '../dns/query.ts';
import { ExchangeRace } from './exchange-race.ts';
import type { Forwarded, UpstreamFailure } from './forwarder.ts';
import { encodeOutgoing, outgoingKey } from './outgoing.ts';
import { untilAborted } from './until-aborted.ts';
import type { UpstreamClient } from './upstream-client.ts';

interface SharedRace {
  readonly race: ExchangeRace;
  callers: number;
}

/** Upstreams in order of preference. Identical queries under way share one race between them. */
export class UpstreamGroup {
  readonly origins: readonly string[];
  readonly #clients: readonly UpstreamClient[];
  readonly #timeoutMs: number;
  readonly #failed: ((failure: UpstreamFailure) => void) | undefined;
  readonly #underWay = new Map<string, SharedRace>();

  constructor(clients: readonly UpstreamClient[], timeoutMs: number, failed?: (failure: UpstreamFailure) => void) {
    this.origins = clients.map(({ origin }) => origin);
    this.#clients = clients;
    this.#timeoutMs = timeoutMs;
    this.#failed = failed;
  }

  /** The wires of the result may be shared and carry any id. An abort ends the race only when nobody else waits for it. */
  async ask(query: DnsQuery, question: Question, signal: AbortSignal): Promise<Forwarded> {
    const key = outgoingKey(query, question);
    const shared = this.#underWay.get(key) ?? this.#start(key, query, question);
    shared.callers++;
    const outcome = await untilAborted(shared.race.outcome, signal);
    shared.callers--;
    if (outcome !== undefined || shared.callers === 0) this.#forget(key, shared);
    if (outcome !== undefined) return outcome;
    const failures = shared.race.failures();
    if (shared.callers === 0) shared.race.cancel();
    return { ok: false, failures };
  }

  #start(key: string, query: DnsQuery, question: Question): SharedRace {
    const wire = encodeOutgoing(query, question);
    const race = new ExchangeRace({
      clients: this.#clients,
      wire,
      question,
      timeoutMs: this.#timeoutMs,
      failed: this.#failed,
    });
    const shared = { race, callers: 0 };
    this.#underWay.set(key, shared);
    return shared;
  }

  /** A cancelled race must not take its successor along. */
  #forget(key: string, shared: SharedRace): void {
    if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
  }
}
