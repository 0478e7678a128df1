import { Rcode, RRType, rcodeName } from '../dns/constants.ts';
import { uint16 } from '../dns/octets.ts';
import { EdnsOption, OPTION_HEADER_OCTETS, type Question } from '../dns/query.ts';
import { rcodeOf, recordsOf, sameQuestion } from '../dns/walk.ts';
import type { Exchanged } from './upstream-client.ts';

/** Answers to what our own OPT asked for, not the client's. */
const OURS: ReadonlySet<number> = new Set([EdnsOption.padding, EdnsOption.clientSubnet]);

/**
 * The response in `body`, without padding; undefined unless it is a whole message that answers `question`. The id is
 * not looked at: HTTP says which query a response belongs to.
 */
export function acceptResponse(body: Buffer, question: Question): Buffer | undefined {
  if (!sameQuestion(body, question)) return undefined;
  const records = recordsOf(body);
  if (records === undefined) return undefined;
  const opt = records.at(-1);
  // Octets before the last record can be the target of compression pointers. An OPT elsewhere is left as it is.
  return opt?.type === RRType.OPT ? withoutOurOptions(body, opt.rdataOffset) : body;
}

const FAILED_RCODES: ReadonlySet<number> = new Set([Rcode.servFail, Rcode.refused]);

/** What an upstream's octets are worth as an answer to `question`. */
export function judgeResponse(body: Buffer, question: Question, age: number): Exchanged {
  const wire = acceptResponse(body, question);
  if (wire === undefined) return { ok: false, kind: 'message', message: 'not a response to the question' };
  const rcode = rcodeOf(wire);
  return FAILED_RCODES.has(rcode)
    ? { ok: false, kind: 'rcode', message: rcodeName(rcode), wire }
    : { ok: true, wire, age };
}

/** Removes them from the RDATA of the OPT that ends the message; malformed options stay as they are. */
function withoutOurOptions(wire: Buffer, rdata: number): Buffer {
  const kept = [];
  let at = rdata;
  while (at + OPTION_HEADER_OCTETS <= wire.length) {
    const end = at + OPTION_HEADER_OCTETS + uint16(wire, at + 2);
    if (!OURS.has(uint16(wire, at))) kept.push(wire.subarray(at, end));
    at = end;
  }
  if (at !== wire.length) return wire;
  const shorter = Buffer.concat([wire.subarray(0, rdata), ...kept]);
  shorter.writeUInt16BE(shorter.length - rdata, rdata - 2);
  return shorter;
}
