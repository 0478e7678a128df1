import { Rcode, rcodeName } from '../dns/constants.ts';
import type { Question } from '../dns/query.ts';
import { type RecordAt, rcodeOf, recordsOf, sameQuestion } from '../dns/walk.ts';
import type { Exchanged } from './upstream-client.ts';

/**
 * The records of a response to `question`; undefined unless it is a whole message that answers it. The id is not looked
 * at: HTTP says which query a response belongs to.
 */
export const acceptResponse = (body: Buffer, question: Question): readonly RecordAt[] | undefined =>
  sameQuestion(body, question) ? recordsOf(body) : undefined;

const FAILED_RCODES: ReadonlySet<number> = new Set([Rcode.servFail, Rcode.refused]);

/** What an upstream's octets are worth as an answer to `question`. */
export function judgeResponse(wire: Buffer, question: Question, age: number): Exchanged {
  const records = acceptResponse(wire, question);
  if (records === undefined) return { ok: false, kind: 'message', message: 'not a response to the question' };
  const rcode = rcodeOf(wire);
  return FAILED_RCODES.has(rcode)
    ? { ok: false, kind: 'rcode', message: rcodeName(rcode), wire }
    : { ok: true, wire, records, age };
}
