import {
  type DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItemsInput,
} from '@aws-sdk/client-dynamodb';

/** What some work cost on DynamoDB, on-demand: units as they are billed. */
export interface Bill {
  /** Calls that had to wait for one another; calls made at once are one round trip. */
  readonly roundTrips: number;
  readonly calls: number;
  /** Read request units: 4 KB read consistently. */
  readonly reads: number;
  /** Write request units: 1 KB written; twice that in a transaction. */
  readonly writes: number;
  readonly transactions: number;
  /** Transactions that another one in flight stopped. */
  readonly conflicts: number;
  /** Transactions that a condition stopped. */
  readonly refusals: number;
}

const NOTHING: Bill = { roundTrips: 0, calls: 0, reads: 0, writes: 0, transactions: 0, conflicts: 0, refusals: 0 };

interface Consumed {
  readonly CapacityUnits?: number;
}

interface Output {
  readonly ConsumedCapacity?: Consumed | readonly Consumed[];
}

const isWrite = (commandName: string): boolean => /^(Put|Update|Delete|TransactWrite|BatchWrite)/.test(commandName);

const unitsOf = ({ ConsumedCapacity = [] }: Output): number =>
  [ConsumedCapacity].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);

/** Reads the bill off every call of a client, which it makes ask for it (`ReturnConsumedCapacity`). */
export class Meter {
  #bill = NOTHING;
  /** Round trips on the longest chain of calls that have ended. */
  #depth = 0;

  constructor(client: DynamoDBClient) {
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          const depth = this.#depth + 1;
          const input = { ...args.input, ReturnConsumedCapacity: 'TOTAL' };
          this.#add({ calls: 1, transactions: commandName.startsWith('TransactWrite') ? 1 : 0 });
          try {
            const answer = await next({ ...args, input } as typeof args);
            this.#add({ [isWrite(commandName) ? 'writes' : 'reads']: unitsOf(answer.output as Output) });
            return answer;
          } catch (error) {
            if (error instanceof TransactionCanceledException) this.#addCancelled(error, args.input as never);
            throw error;
          } finally {
            this.#depth = Math.max(this.#depth, depth);
          }
        },
      { step: 'initialize', name: 'meter' },
    );
  }

  #add(more: Partial<Bill>): void {
    const sums = Object.entries(more).map(([name, value]) => [name, this.#bill[name as keyof Bill] + value]);
    this.#bill = { ...this.#bill, ...Object.fromEntries(sums) };
  }

  /** What is cancelled is billed too, but says no price: two units for each item are the least. */
  #addCancelled(error: TransactionCanceledException, input: TransactWriteItemsInput): void {
    const conflict = error.CancellationReasons?.some(({ Code }) => Code === 'TransactionConflict');
    this.#add({ writes: 2 * (input.TransactItems?.length ?? 0), [conflict ? 'conflicts' : 'refusals']: 1 });
  }

  /** The bill since the last one. */
  take(): Bill {
    const bill = { ...this.#bill, roundTrips: this.#depth };
    this.#bill = NOTHING;
    this.#depth = 0;
    return bill;
  }
}
