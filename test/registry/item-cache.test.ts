import { type BatchGetItemCommand, type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ItemCache } from '../../src/registry/dynamodb-item-cache.ts';
import { CHANGES, hostItem, type ItemKey, keyText } from '../../src/registry/keys.ts';
import { Outage } from '../../src/registry/outage.ts';

const registryCacheMs = 2_500;
/** How far a read that is not consistent may lag behind. */
const MOST_LAG_MS = 1_000;
/** How long a call may take. */
const BUDGET_MS = 1_200;
const TABLE = 'model';

/** One item after another is committed, each to its next number. */
interface Commit {
  readonly at: number;
  readonly key: string;
}

/** A table of numbers in a time of its own: what a read sees may lag, and its answer comes when it is let through. */
class ModelTable {
  now = 1_000_000;
  lagMs = 0;
  readonly commits: Commit[] = [];
  readonly underWay: { readonly since: number; readonly answer: () => void }[] = [];
  readonly asked: ('items' | 'changes')[] = [];
  items = 0;

  commit(key: ItemKey): void {
    this.commits.push({ at: this.now, key: keyText(key) });
  }

  /** Lets the oldest calls through, up to those that began now, or at another time. */
  answerAll(until = this.now): void {
    const late = this.underWay.filter(({ since }) => since <= until);
    this.underWay.splice(0, late.length);
    for (const { answer } of late) answer();
  }

  /** The number of an item as it was then. */
  number(key: string, at: number): number {
    return this.commits.filter((commit) => commit.key === key && commit.at <= at).length;
  }

  get source() {
    return { client: { send: (command: unknown) => this.#send(command) } as unknown as DynamoDBClient, table: TABLE };
  }

  #send(command: unknown): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const answer = this.#answer(command, this.now - this.lagMs);
    this.underWay.push({ since: this.now, answer: () => resolve(answer) });
    return promise;
  }

  #answer(command: unknown, at: number): object {
    if (command instanceof QueryCommand) {
      this.asked.push('changes');
      const commits = this.commits.filter((commit) => commit.at <= at).length;
      return { Items: [{ pk: { S: CHANGES }, sk: { S: '000' }, commits: { N: String(commits) } }] };
    }
    const keys = (command as BatchGetItemCommand).input.RequestItems?.[TABLE]?.Keys ?? [];
    this.asked.push('items');
    this.items += keys.length;
    const items = keys.map(({ pk, sk }) => {
      const number = this.number(keyText({ pk: pk?.S ?? '', sk: sk?.S ?? '' }), at);
      return { pk, sk, number: { N: String(number) } };
    });
    return { Responses: { [TABLE]: items } };
  }
}

function openCache(table: ModelTable): ItemCache {
  const now = () => table.now;
  const outage = new Outage(now, () => undefined);
  const moved = () => undefined;
  return new ItemCache(table.source, outage, {
    registryCacheMs,
    staleMaxMs: 3_600_000,
    budgetMs: BUDGET_MS,
    moved,
    now,
  });
}

const NEVER = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function numbersIn(cache: ItemCache, keys: readonly ItemKey[]): Promise<number[]> {
  const { items } = await cache.get(keys, () => NEVER);
  return keys.map((key) => Number(items.get(keyText(key))?.number?.N));
}

/** `amount` is milliseconds, which item, or which of the calls that are under way. */
interface Step {
  readonly kind: 'wait' | 'lag' | 'commit' | 'ask' | 'answer';
  readonly amount: number;
}

const KEYS = [0, 1, 2].map((n) => hostItem(`h${n}.internal`));
const keyAt = (n: number): ItemKey => KEYS[n % KEYS.length] as ItemKey;

const stepOf = (kind: Step['kind'], most: number) => fc.record({ kind: fc.constant(kind), amount: fc.nat(most) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: stepOf('wait', BUDGET_MS) },
  { weight: 1, arbitrary: stepOf('lag', MOST_LAG_MS) },
  { weight: 1, arbitrary: stepOf('commit', 2) },
  { weight: 6, arbitrary: stepOf('ask', 2) },
  { weight: 6, arbitrary: stepOf('answer', 5) },
);

/** Whoever asks must learn of every commit that is older than a cache may be, and than any replica is behind. */
async function expectNoCommitMissed(steps: readonly Step[]): Promise<void> {
  const table = new ModelTable();
  const cache = openCache(table);
  const asked: Promise<{ readonly missed: number }>[] = [];
  const ask = async (key: ItemKey) => {
    const least = table.number(keyText(key), table.now - registryCacheMs - MOST_LAG_MS);
    const [number = Number.NaN] = await numbersIn(cache, [key]);
    return { missed: Math.max(0, least - number) };
  };
  for (const { kind, amount } of steps) {
    if (kind === 'wait') {
      table.answerAll(table.now + amount - BUDGET_MS);
      await turn();
      table.now += amount;
    } else if (kind === 'lag') table.lagMs = amount;
    else if (kind === 'commit') table.commit(keyAt(amount));
    else if (kind === 'ask') asked.push(ask(keyAt(amount)));
    else table.underWay.splice(amount % Math.max(1, table.underWay.length), 1)[0]?.answer();
    await turn();
  }
  while (table.underWay.length > 0) {
    table.answerAll();
    await turn();
  }
  expect((await Promise.all(asked)).filter(({ missed }) => missed !== 0)).toEqual([]);
}

it('no commit is missed for longer than is allowed, whatever reads, looks and commits come in between', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), expectNoCommitMissed), {
    numRuns: 1_000,
  });
}, 60_000);

it('ten thousand names asked for all the time cost some looks a minute, and no read', async () => {
  const table = new ModelTable();
  const cache = openCache(table);
  const keys = Array.from({ length: 10_000 }, (_, n) => hostItem(`h${n}.internal`));
  const ask = async () => {
    const asked = numbersIn(cache, keys);
    let done = false;
    void asked.finally(() => {
      done = true;
    });
    while (!done) {
      table.answerAll();
      await turn();
    }
  };
  for (let round = 0; round < 3; round++) {
    await ask();
    table.now += registryCacheMs;
  }
  expect(table.items).toBe(20_000);
  table.asked.length = 0;
  for (const end = table.now + 60_000; table.now < end; table.now += 500) await ask();
  expect(table.asked).toEqual(Array.from({ length: 24 }, () => 'changes'));
});
