import { type DecodedRecord, decodeMessage } from '../dns/message.ts';

interface JsonRecord {
  readonly name: string;
  readonly type: number;
  readonly TTL: number;
  readonly data: string;
}

/** The shape that public resolvers' JSON interfaces share, so that existing tools read it. */
export interface JsonAnswer {
  readonly Status: number;
  readonly TC: boolean;
  readonly RD: boolean;
  readonly RA: boolean;
  readonly AD: boolean;
  readonly CD: boolean;
  readonly Question: readonly { readonly name: string; readonly type: number }[];
  readonly Answer?: readonly JsonRecord[];
  readonly Authority?: readonly JsonRecord[];
  /** Extended DNS errors (RFC 8914). */
  readonly Comment?: readonly string[];
}

const record = ({ owner, type, ttl, data }: DecodedRecord): JsonRecord => ({ name: owner, type, TTL: ttl, data });

/** A response message for people, or undefined when it cannot be read. */
export function jsonAnswer(wire: Uint8Array): JsonAnswer | undefined {
  const message = decodeMessage(wire);
  if (!message) return undefined;
  const comments = (message.edns?.ede ?? []).map(({ code, text }) => (text ? `EDE ${code}: ${text}` : `EDE ${code}`));
  return {
    Status: message.rcode,
    TC: message.tc,
    RD: message.rd,
    RA: message.ra,
    AD: message.ad,
    CD: message.cd,
    Question: message.questions.map(({ name, type }) => ({ name, type })),
    ...(message.answers.length > 0 ? { Answer: message.answers.map(record) } : {}),
    ...(message.authorities.length > 0 ? { Authority: message.authorities.map(record) } : {}),
    ...(comments.length > 0 ? { Comment: comments } : {}),
  };
}
