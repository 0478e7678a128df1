import type { Question } from '../dns/query.ts';
import { ExchangeRace } from './exchange-race.ts';
import type { Forwarded, UpstreamFailure } from './forwarder.ts';
import { encodeOutgoing, type OutgoingTraits, outgoingKey } from './outgoing.ts';
import { untilAborted } from './until-aborted.ts';
import type { UpstreamClient } from './upstream-client.ts';

interface SharedRace {
  /** Undefined when it is over: what a Map held lives on in its outgrown tables, until a major garbage collection. */
  race: ExchangeRace | undefined;
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
  async ask(query: OutgoingTraits, question: Question, signal: AbortSignal): Promise<Forwarded> {
    const key = outgoingKey(query, question);
    const shared: SharedRace = this.#underWay.get(key) ?? { race: undefined, callers: 0 };
    shared.race ??= this.#race(query, question);
    this.#underWay.set(key, shared);
    const { race } = shared;
    shared.callers++;
    const outcome = await untilAborted(race.outcome, signal);
    shared.callers--;
    const isOver = outcome !== undefined || shared.callers === 0;
    if (isOver) this.#forget(key, shared);
    if (outcome !== undefined) return outcome;
    const failures = race.failures();
    if (isOver) race.cancel();
    return { ok: false, failures };
  }

  #race(query: OutgoingTraits, question: Question): ExchangeRace {
    return new ExchangeRace({
      clients: this.#clients,
      wire: encodeOutgoing(query, question),
      question,
      timeoutMs: this.#timeoutMs,
      failed: this.#failed,
    });
  }

  /** A cancelled race must not take its successor along. */
  #forget(key: string, shared: SharedRace): void {
    if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
    shared.race = undefined;
  }
}
