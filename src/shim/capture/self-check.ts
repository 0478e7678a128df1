import { randomBytes, randomInt } from 'node:crypto';
import { HEADER_OCTETS } from '../../dns/query.ts';
import { type Ask, askTcp, askUdp, replyWithin } from '../dns-client.ts';
import { canaryQuery, isCanaryAnswer } from './canary.ts';
import type { ListenAddress } from './capture.ts';

/** Within the second between two beats. */
const TIMEOUT_MS = 800;

/** For commands, which are patient and have a busy host to themselves. */
export const PATIENT_MS = 3000;

/** Whether a shim answers at each of the addresses, over UDP and TCP. Never rejects. */
export async function selfCheck(addresses: readonly ListenAddress[], timeoutMs = TIMEOUT_MS): Promise<boolean> {
  const asked = addresses.flatMap((at) => [answers(askUdp, at, timeoutMs), answers(askTcp, at, timeoutMs)]);
  return (await Promise.all(asked)).every(Boolean);
}

/** Whether a shim answers there, itself or through a resolver that asks one. */
export const answersUdp = (at: ListenAddress, timeoutMs: number): Promise<boolean> => answers(askUdp, at, timeoutMs);

async function answers(ask: Ask, at: ListenAddress, timeoutMs: number): Promise<boolean> {
  const query = canaryQuery(`check-${randomBytes(8).toString('hex')}`, randomInt(0x1_0000));
  const question = { wire: query.subarray(HEADER_OCTETS) };
  const reply = await replyWithin(ask, at, query, question, AbortSignal.timeout(timeoutMs));
  return 'wire' in reply && isCanaryAnswer(reply.wire, query);
}
