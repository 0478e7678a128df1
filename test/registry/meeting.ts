import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import type { Call, Fault, Faults } from '../../src/embedded/faults.ts';
import type { WriteOutcome } from '../../src/registry/writer.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { deadline, type TestRegistry } from '../support/registry.ts';

/** What a call would do to the item of an entry, a host and so on, as `<pk>/<sk>`. */
const keysOf = ({ input }: Call): string[] =>
  ((input.TransactItems ?? []) as Record<string, { Key: { pk: { S: string }; sk: { S: string } } }>[]).flatMap((item) =>
    Object.values(item).map(({ Key }) => `${Key.pk.S}/${Key.sk.S}`),
  );

/** A point at which a writer waits until the test lets it go on. */
export class Stop {
  readonly #arrived = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<Fault | undefined>();

  /** Resolves when the writer stands here. */
  get arrived(): Promise<void> {
    return this.#arrived.promise;
  }

  /** The writer goes on, or meets this fault instead. */
  release(fault?: Fault): void {
    this.#released.resolve(fault);
  }

  arrive(): Promise<Fault | undefined> {
    this.#arrived.resolve();
    return this.#released.promise;
  }
}

/** Stops a writer before its nth transaction (1 for the first). */
export function stopBeforeTransaction(nth = 1): { stop: Stop; faults: Faults } {
  const stop = new Stop();
  let transactions = 0;
  return {
    stop,
    faults: {
      before: ({ operation }) =>
        operation === 'TransactWriteItems' && ++transactions === nth ? stop.arrive() : undefined,
    },
  };
}

/** Stops a writer before its nth transaction; when it has been let go and has committed that, it dies. */
export function dieAfterTransaction(nth: number): { asleep: Stop; died: Promise<void>; faults: Faults } {
  const [asleep, died] = [new Stop(), Promise.withResolvers<void>()];
  let transactions = 0;
  return {
    asleep,
    died: died.promise,
    faults: {
      before: ({ operation }) =>
        operation === 'TransactWriteItems' && ++transactions === nth ? asleep.arrive() : undefined,
      after: () => {
        if (transactions < nth) return undefined;
        died.resolve();
        return { kind: 'kill' };
      },
    },
  };
}

/** Kills a writer before its nth transaction; `died` resolves then. */
export function killBeforeTransaction(nth: number): { died: Promise<void>; faults: Faults } {
  const { stop, faults } = stopBeforeTransaction(nth);
  stop.release({ kind: 'kill' });
  return { died: stop.arrived, faults };
}

/** A client that dies before its nth transaction; `died` resolves then. */
export function clientKilledBeforeTransaction(registry: TestRegistry, nth: number) {
  const { died, faults } = killBeforeTransaction(nth);
  return { died, client: embeddedClient(registry.db, { faults, maxAttempts: 1 }) };
}

/** Loses the acknowledgement of the first transaction that touches the item; until `settled`, all calls after it fail. */
export function loseAcknowledgement(
  key: string,
  settled: Promise<void> = Promise.resolve(),
): { lost: Promise<void>; faults: Faults } {
  const lost = Promise.withResolvers<void>();
  let isLost = false;
  return {
    lost: lost.promise,
    faults: {
      before: async () => {
        if (isLost) await settled;
        return undefined;
      },
      after: (call) => {
        if (isLost || !keysOf(call).includes(key)) return undefined;
        isLost = true;
        lost.resolve();
        return { kind: 'lostConnection' };
      },
    },
  };
}

/** `first` is planned up to its nth transaction; then `meanwhile` happens; then `first` goes on. */
export async function meet(
  registry: TestRegistry,
  first: ServiceEntry,
  meanwhile: () => Promise<unknown>,
  nth = 1,
): Promise<WriteOutcome> {
  const { stop, faults } = stopBeforeTransaction(nth);
  const outcome = registry.anotherWriter(faults).apply(first, {}, deadline());
  await stop.arrived;
  await meanwhile();
  stop.release();
  return outcome;
}
