import type { Random } from './random.ts';

/** Something that waits for its turn: a call to the table, or a pause of a writer. */
interface Waiting {
  readonly owner: object;
  readonly label: string;
  readonly pass: () => void;
}

const turnOfEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Lets one waiting thing pass at a time, so that the order of all calls is that of the random numbers. The embedded
 * engine and the SDK wait for nothing but each other: when the event loop comes round, whoever could go on has done so.
 */
export class Turnstile {
  readonly #random: Random;
  #waiting: Waiting[] = [];
  /** Moves with whatever arrives. */
  #arrivals = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#waiting.length;
  }

  wait(owner: object, label: string): Promise<void> {
    this.#arrivals++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ owner, label, pass: resolve });
    return promise;
  }

  /** One of those that wait goes on; resolves when all that follows from it waits again, or is over. */
  async passOne(): Promise<string | undefined> {
    // Calls made at the same moment arrive in an order that is the SDK's own affair.
    this.#waiting.sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
    const chosen = this.#waiting[this.#random.integer(0, this.#waiting.length - 1)];
    if (!chosen) return undefined;
    this.#waiting = this.#waiting.filter((one) => one !== chosen);
    chosen.pass();
    await this.quiet();
    return chosen.label;
  }

  /** Its owner is gone: what it waits for never comes, or comes to nobody. */
  async drop(owner: object): Promise<void> {
    const dropped = this.#waiting.filter((one) => one.owner === owner);
    this.#waiting = this.#waiting.filter((one) => one.owner !== owner);
    for (const one of dropped) one.pass();
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let still = 0, seen = this.#arrivals; still < 3; still++) {
      await turnOfEventLoop();
      if (this.#arrivals !== seen) {
        still = 0;
        seen = this.#arrivals;
      }
    }
  }
}
