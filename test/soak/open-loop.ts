import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './clients.ts';
import { isRight, type Question } from './questions.ts';

export interface Tally {
  asked: number;
  readonly errors: string[];
}

const TICK_MS = 5;

async function ask(client: Client, question: Question, tally: Tally): Promise<void> {
  try {
    const response = await client(question.wire);
    if (!isRight(question, response)) tally.errors.push(`wrong: ${response.toString('hex')}`);
  } catch (error) {
    tally.errors.push(error instanceof Error ? error.message : String(error));
  }
}

/** Asks at a fixed rate whatever comes back, until the questions or the time are over, and waits for the last answers. */
export async function askAtRate(
  clients: readonly Client[],
  questions: Iterator<Question>,
  { perSecond, seconds = Number.POSITIVE_INFINITY }: { readonly perSecond: number; readonly seconds?: number },
): Promise<Tally> {
  const tally: Tally = { asked: 0, errors: [] };
  const underWay = new Set<Promise<void>>();
  const started = performance.now();
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - started) {
    for (const due = (elapsed * perSecond) / 1000; tally.asked < due; tally.asked++) {
      const { value: question, done } = questions.next();
      if (done) {
        await Promise.all(underWay);
        return tally;
      }
      const client = clients[tally.asked % clients.length] as Client;
      const asked: Promise<void> = ask(client, question, tally).finally(() => underWay.delete(asked));
      underWay.add(asked);
    }
    await sleep(TICK_MS);
  }
  await Promise.all(underWay);
  return tally;
}
