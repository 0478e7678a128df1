import { EdeCode, rcodeName, typeName } from '../dns/constants.ts';
import type { DecodedEdns, DecodedMessage, DecodedRecord } from '../dns/message.ts';
import type { Connection } from './connection.ts';
import type { HttpReply } from './http-client.ts';

const line = (step: string, text: string): string => `${step.padEnd(12)}${text}`;

/** What was decided before anything was sent. */
export function requestTrace(
  { url, origin, credential, signer }: Connection,
  target: string,
  octets: number,
): string[] {
  const asked = `${url.href.replace(/\/$/, '')}${target}`;
  return [
    line('server', `${url.href}, from ${origin}`),
    line('credential', signer ? 'AWS, signed' : credential ? `the token of ${credential.origin}` : 'none'),
    line('request', `POST ${asked}, ${octets} octets`),
  ];
}

export function replyTrace({ status, headers, body, peer, connectMs, elapsedMs }: HttpReply): string[] {
  const type = headers['content-type'] ?? 'no media type';
  return [
    line('connect', `${peer}, ${milliseconds(connectMs)}`),
    line('response', `HTTP ${status}, ${type}, ${body.length} octets, ${milliseconds(elapsedMs)}`),
    line('cache', headers['cache-control'] ?? 'no cache-control'),
    ...(headers.age === undefined ? [] : [line('age', `${headers.age} s`)]),
  ];
}

/** The header, and every record. */
export function messageTrace(message: DecodedMessage): string[] {
  const { answers, authorities, additionals, questions, edns } = message;
  return [
    line('header', headerText(message)),
    ...questions.map(({ name, type }) => line('question', `${name} IN ${typeName(type)}`)),
    ...answers.map((record) => line('answer', recordText(record))),
    ...authorities.map((record) => line('authority', recordText(record))),
    ...additionals.map((record) => line('additional', recordText(record))),
    ...(edns ? ednsTrace(edns) : []),
  ];
}

const FLAGS = ['aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const;

const headerText = (message: DecodedMessage): string =>
  `${rcodeName(message.rcode)}, id ${message.id}, flags ${['qr', ...FLAGS.filter((flag) => message[flag])].join(' ')}`;

const recordText = ({ owner, ttl, type, data }: DecodedRecord): string =>
  `${owner} ${ttl} IN ${typeName(type)} ${data}`;

const ednsTrace = ({ udpSize, version, do: wantsDnssec, ede }: DecodedEdns): string[] => [
  line('edns', `version ${version}, udp ${udpSize}${wantsDnssec ? ', do' : ''}`),
  ...ede.map((error) => line('error', extendedErrorText(error))),
];

const milliseconds = (ms: number): string => `${ms.toFixed(1)} ms`;

/** `noReachableAuthority` → `no reachable authority`. */
const EDE_PHRASES: ReadonlyMap<number, string> = new Map(
  Object.entries(EdeCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)]),
);

/** An extended DNS error (RFC 8914): `EDE 18 (prohibited): …`. */
export function extendedErrorText({ code, text }: DecodedEdns['ede'][number]): string {
  const phrase = EDE_PHRASES.get(code);
  return `EDE ${code}${phrase === undefined ? '' : ` (${phrase})`}${text === '' ? '' : `: ${text}`}`;
}
