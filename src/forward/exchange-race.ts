import type { Question } from '../dns/query.ts';
import type { Forwarded, UpstreamFailure } from './forwarder.ts';
import type { UpstreamClient } from './upstream-client.ts';

/** An upstream that has not answered within this time gets company. */
const HEDGE_MS = 250;

export interface RaceContent {
  /** In order of preference. */
  readonly clients: readonly UpstreamClient[];
  readonly wire: Buffer;
  readonly question: Question;
  /** For each attempt. */
  readonly timeoutMs: number;
  /** Told of each attempt that failed by itself, not of those that nobody waited for any more. */
  readonly failed?: ((failure: UpstreamFailure) => void) | undefined;
}

/**
 * One query put to upstreams in their order. The next one is asked when one fails or is slow; the first to succeed
 * wins, and the others are cancelled.
 */
export class ExchangeRace {
  readonly outcome: Promise<Forwarded>;
  readonly #content: RaceContent;
  readonly #resolve: (outcome: Forwarded) => void;
  readonly #running = new Map<number, AbortController>();
  readonly #failures: UpstreamFailure[] = [];
  #next = 0;
  #settled = false;
  #hedgeTimer: NodeJS.Timeout | undefined;

  constructor(content: RaceContent) {
    const { promise, resolve } = Promise.withResolvers<Forwarded>();
    this.outcome = promise;
    this.#resolve = resolve;
    this.#content = content;
    this.#startNext();
  }

  /** What the attempts met so far, in order; those under way count as timed out. */
  failures(): readonly UpstreamFailure[] {
    return this.#content.clients
      .slice(0, this.#next)
      .map(({ origin: upstream }, index) => this.#failures[index] ?? unfinished(upstream));
  }

  /** Gives up: the outcome has no listener any more. */
  cancel(): void {
    this.#finish({ ok: false, failures: this.failures() });
  }

  #startNext(): void {
    clearTimeout(this.#hedgeTimer);
    const { clients } = this.#content;
    const client = clients[this.#next];
    if (client !== undefined) {
      void this.#attempt(client, this.#next++);
      if (this.#next < clients.length) this.#hedgeTimer = setTimeout(() => this.#startNext(), HEDGE_MS);
    } else if (this.#running.size === 0) {
      this.#finish({ ok: false, failures: this.failures() });
    }
  }

  async #attempt(client: UpstreamClient, index: number): Promise<void> {
    const { wire, question, timeoutMs, failed } = this.#content;
    const attempt = new AbortController();
    this.#running.set(index, attempt);
    const timer = setTimeout(() => {
      attempt.abort(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError'));
    }, timeoutMs);
    const { origin: upstream } = client;
    const exchanged = await client.exchange(wire, question, attempt.signal);
    clearTimeout(timer);
    this.#running.delete(index);
    if (exchanged.ok) return this.#finish({ ...exchanged, upstream });
    const { ok: _, ...reason } = exchanged;
    const failure = { upstream, ...reason };
    this.#failures[index] = failure;
    if (!this.#settled) failed?.(failure);
    this.#startNext();
  }

  /** Attempts that end after this find no upstream to ask next, and the outcome settled. */
  #finish(outcome: Forwarded): void {
    clearTimeout(this.#hedgeTimer);
    this.#settled = true;
    this.#next = this.#content.clients.length;
    for (const attempt of this.#running.values()) attempt.abort();
    this.#resolve(outcome);
  }
}

const unfinished = (upstream: string): UpstreamFailure => ({
  upstream,
  kind: 'timeout',
  message: 'no answer before the query was given up',
});
