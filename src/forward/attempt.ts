/** Whoever carries an exchange. */
export interface Carrier {
  /** Its result is not waited for any more. */
  onGivenUp(): void;
}

/**
 * The time that one exchange has, and whether anybody waits for it. What an AbortController and a timer are elsewhere;
 * there is one of these for each query that is forwarded, and those two would cost it several times as much.
 */
export class Attempt {
  /** Told when it is given up, once at most. Set by whoever carries it, for as long as it does. */
  carrier: Carrier | undefined;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #isOverdue = false;
  #isGivenUp = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(onOverdue, timeoutMs, this);
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** It was given up because its time was over. */
  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  /** Why it was given up. */
  get reason(): string {
    return this.#isOverdue ? `no answer within ${this.#timeoutMs} ms` : 'given up';
  }

  /** Its exchange has ended. */
  end(): void {
    clearTimeout(this.#timer);
  }

  giveUp(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    clearTimeout(this.#timer);
    this.carrier?.onGivenUp();
  }

  /** Of the timer. */
  onOverdue(): void {
    this.#isOverdue = true;
    this.giveUp();
  }
}

/** With the attempt as the timer's argument: a closure for each would be one more object. */
const onOverdue = (attempt: Attempt): void => attempt.onOverdue();

/** What `promise` resolves to, or undefined as soon as the attempt is given up. The promise must not reject. */
export function untilGivenUp<T extends object>(promise: Promise<T>, attempt: Attempt): Promise<T | undefined> {
  if (attempt.isGivenUp) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    attempt.carrier = { onGivenUp: () => resolve(undefined) };
    void promise.then((value) => {
      attempt.carrier = undefined;
      resolve(value);
    });
  });
}
