/** Reads that failed one after the other: one may be an accident. */
const FAILURES = 2;
const PROBE_MS = 500;

/**
 * Whether the store can be read, as the last reads tell. While it cannot, one read at a time finds out whether it can
 * again, and nobody else waits for what is likely to fail.
 */
export class Outage {
  readonly #now: () => number;
  readonly #failed: () => void;
  #reads = 0;
  #failures = 0;
  #failedAt = 0;

  /** `now` in milliseconds; `failed` is told of every read that failed. */
  constructor(now: () => number, failed: () => void) {
    this.#now = now;
    this.#failed = failed;
  }

  /** Whether the store cannot be read, as far as is known. */
  get isOn(): boolean {
    return this.#failures >= FAILURES;
  }

  /** Whether a read may start now. */
  get admits(): boolean {
    if (!this.isOn) return true;
    // A clock that is set back must not end the probes.
    return this.#reads === 0 && Math.abs(this.#now() - this.#failedAt) >= PROBE_MS;
  }

  /** What was read; undefined when that failed, or was not admitted. */
  async read<T extends object>(read: () => Promise<T>): Promise<T | undefined> {
    if (!this.admits) return undefined;
    this.#reads++;
    try {
      const value = await read();
      this.#failures = 0;
      return value;
    } catch {
      this.#failures++;
      this.#failedAt = this.#now();
      this.#failed();
      return undefined;
    } finally {
      this.#reads--;
    }
  }
}
