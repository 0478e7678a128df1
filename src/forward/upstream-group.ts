import type { Question } from '../dns/query.ts';
import { ExchangeRace } from './exchange-race.ts';
import type { Forwarded, UpstreamFailure } from './forwarder.ts';
import { encodeOutgoing, type OutgoingTraits, outgoingKey } from './outgoing.ts';
import { NEVER, untilAborted } from './until-aborted.ts';
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
  ask(query: OutgoingTraits, question: Question, signal: AbortSignal): Promise<Forwarded> {
    const key = outgoingKey(query, question);
    const shared = this.#underWay.get(key);
    if (shared?.race !== undefined) return this.#join(key, shared, shared.race, signal);
    return this.#begin(key, query, question, signal);
  }

  #begin(key: string, query: OutgoingTraits, question: Question, signal: AbortSignal): Promise<Forwarded> {
    const race = new ExchangeRace({
      clients: this.#clients,
      wire: encodeOutgoing(query, question),
      question,
      timeoutMs: this.#timeoutMs,
      failed: this.#failed,
    });
    const shared = { race, callers: 0 };
    this.#underWay.set(key, shared);
    void race.outcome.then(() => this.#forget(key, shared));
    return this.#join(key, shared, race, signal);
  }

  #join(key: string, shared: SharedRace, race: ExchangeRace, signal: AbortSignal): Promise<Forwarded> {
    shared.callers++;
    // Who waits to the end never leaves, and the end forgets the race anyway.
    return signal === NEVER ? race.outcome : this.#waitFor(race, key, shared, signal);
  }

  async #waitFor(race: ExchangeRace, key: string, shared: SharedRace, signal: AbortSignal): Promise<Forwarded> {
    const outcome = await untilAborted(race.outcome, signal);
    shared.callers--;
    if (outcome !== undefined) return outcome;
    const failures = race.failures();
    if (shared.callers === 0) {
      this.#forget(key, shared);
      race.cancel();
    }
    return { ok: false, failures };
  }

  /** A cancelled race must not take its successor along. */
  #forget(key: string, shared: SharedRace): void {
    if (this.#underWay.get(key) === shared) this.#underWay.delete(key);
    shared.race = undefined;
  }
}
