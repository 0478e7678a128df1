import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpCall, HttpClient, HttpReply } from './http-client.ts';

export interface Patient {
  readonly reply: HttpReply;
  /** More than one: the server had no time for those before, and may have done what they asked for. */
  readonly calls: number;
}

const MAX_CALLS = 4;
const MAX_RETRY_AFTER_SECONDS = 5;

function retryAfterMs({ status, headers }: HttpReply): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  const again = (status === 429 || status === 503) && seconds >= 0;
  return again ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000 : undefined;
}

/** Calls again, a few times, while the server has no time for it and says when to come again. */
export async function callPatiently(http: Pick<HttpClient, 'call'>, call: HttpCall): Promise<Patient> {
  for (let calls = 1; ; calls++) {
    const reply = await http.call(call);
    const waitMs = retryAfterMs(reply);
    if (waitMs === undefined || calls === MAX_CALLS) return { reply, calls };
    await sleep(waitMs);
  }
}
