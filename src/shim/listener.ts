import { Rcode } from '../dns/constants.ts';
import { decodeQuery, HEADER_OCTETS } from '../dns/query.ts';
import { encodeResponse, formErrorOf } from '../dns/response.ts';

export type Transport = 'udp' | 'tcp';

/** Answers one query, at once or later; undefined drops it. One that throws or rejects is answered with SERVFAIL. */
export type Exchange = (query: Buffer, transport: Transport) => Answer | Promise<Answer>;

export type Answer = Buffer | undefined;

export interface Listener {
  readonly address: string;
  /** The one it got, where 0 was asked for. */
  readonly port: number;
  /** Takes no more queries, answers those it has taken within a bound, then closes. */
  close(): Promise<void>;
}

/** Longer than a query may take at the shim (2 s). */
export const CLOSE_TIMEOUT_MS = 2500;

/** What the length field of DNS over TCP can say. */
const MAX_MESSAGE_OCTETS = 0xffff;

/** A whole header, QR clear. Answering anything else could make two listeners answer each other forever. */
export const isQuery = (wire: Uint8Array): boolean => wire.length >= HEADER_OCTETS && ((wire[2] ?? 0) & 0x80) === 0;

/** What to send back, as soon as the exchange knows it; never throws, never rejects. */
export function answerTo(query: Buffer, transport: Transport, exchange: Exchange): Answer | Promise<Answer> {
  try {
    const answer = exchange(query, transport);
    if (!(answer instanceof Promise)) return sendable(answer, query);
    return answer.then(
      (late) => sendable(late, query),
      () => servFail(query),
    );
  } catch {
    return servFail(query);
  }
}

const sendable = (answer: Answer, query: Buffer): Answer =>
  answer === undefined || answer.length <= MAX_MESSAGE_OCTETS ? answer : servFail(query);

function servFail(query: Buffer): Buffer {
  const decoded = decodeQuery(query);
  return decoded.ok ? encodeResponse(decoded.query, { rcode: Rcode.servFail }) : formErrorOf(query);
}
