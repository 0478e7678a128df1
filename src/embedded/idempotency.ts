import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { serviceError } from './service-error.ts';

/** How long DynamoDB remembers a ClientRequestToken. */
const WINDOW_MS = 600_000;
const MAX_TOKENS = 10_000;

interface Remembered<T> {
  readonly digest: string;
  /** Absent while the transaction runs. */
  readonly outcome?: T;
}

/** Makes transactions idempotent by their ClientRequestToken; bounded, in memory. */
export class IdempotencyTokens<T extends object> {
  readonly #seen: LRUCache<string, Remembered<T>>;

  constructor(now: () => number) {
    this.#seen = new LRUCache({ max: MAX_TOKENS, ttl: WINDOW_MS, ttlResolution: 0, perf: { now } });
  }

  /** Runs `work` once per token; a failed transaction leaves no trace, as in DynamoDB. */
  async once(token: string, request: object, work: () => Promise<T>): Promise<T> {
    const digest = createHash('sha256').update(JSON.stringify(request)).digest('base64');
    const seen = this.#seen.get(token);
    if (seen) return replay(seen, digest);
    this.#seen.set(token, { digest });
    try {
      const outcome = await work();
      this.#seen.set(token, { digest, outcome });
      return outcome;
    } catch (error) {
      this.#seen.delete(token);
      throw error;
    }
  }
}

function replay<T>({ digest, outcome }: Remembered<T>, again: string): T {
  if (digest !== again) {
    throw serviceError(
      'IdempotentParameterMismatchException',
      'The request was rejected because it was retried with an identical client token but different parameters',
    );
  }
  if (outcome === undefined) {
    throw serviceError(
      'TransactionInProgressException',
      'The transaction with the given request token is already in progress',
    );
  }
  return outcome;
}
