import type { Question } from '../dns/query.ts';
import { Attempt } from './attempt.ts';
import type { Forwarded, UpstreamFailure } from './forwarder.ts';
import type { Exchanged, UpstreamClient } from './upstream-client.ts';

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
  /** By index of the client. */
  readonly #running: (Attempt | undefined)[] = [];
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
      this.#attempt(client, this.#next++);
      if (this.#next < clients.length) this.#hedgeTimer = setTimeout(() => this.#startNext(), HEDGE_MS);
    } else if (this.#running.every((attempt) => attempt === undefined)) {
      this.#finish({ ok: false, failures: this.failures() });
    }
  }

  #attempt(client: UpstreamClient, index: number): void {
    const { wire, question, timeoutMs } = this.#content;
    const attempt = new Attempt(timeoutMs);
    this.#running[index] = attempt;
    const end = (exchanged: Exchanged) => {
      attempt.end();
      this.#running[index] = undefined;
      this.#ended(exchanged, client.origin, index);
    };
    // A fault of ours is one upstream's failure, and not the end of DNS on a host.
    client.exchange(wire, question, attempt).then(end, (fault: unknown) => {
      end({ ok: false, kind: 'transport', message: fault instanceof Error ? fault.message : String(fault) });
    });
  }

  #ended(exchanged: Exchanged, upstream: string, index: number): void {
    if (exchanged.ok) {
      const { wire, records, age } = exchanged;
      this.#finish({ ok: true, wire, records, upstream, age });
      return;
    }
    const { ok: _, ...reason } = exchanged;
    const failure = { upstream, ...reason };
    this.#failures[index] = failure;
    if (!this.#settled) this.#content.failed?.(failure);
    this.#startNext();
  }

  /** Attempts that end after this find no upstream to ask next, and the outcome settled. */
  #finish(outcome: Forwarded): void {
    clearTimeout(this.#hedgeTimer);
    this.#settled = true;
    this.#next = this.#content.clients.length;
    for (const attempt of this.#running) attempt?.giveUp();
    this.#resolve(outcome);
  }
}

const unfinished = (upstream: string): UpstreamFailure => ({
  upstream,
  kind: 'timeout',
  message: 'no answer before the query was given up',
});
