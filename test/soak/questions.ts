import { RRType } from '../../src/dns/constants.ts';
import { uint8, uint16 } from '../../src/dns/octets.ts';
import { queryWire } from '../support/dns.ts';
import { seeded } from '../support/seeded.ts';

export interface Question {
  readonly wire: Buffer;
  readonly rcode: number;
  readonly answers: number;
}

const FORWARDED_NAMES = 2_000;
const UNKNOWN_NAMES = 2_000;

export const hostName = (n: number): string => `service-${n}.soak.internal`;

export const isRight = ({ rcode, answers }: Question, response: Buffer): boolean =>
  (uint8(response, 3) & 0x0f) === rcode && uint16(response, 6) === answers;

const of = (name: string, type: number, rcode: number, answers: number): Question => ({
  wire: queryWire(name, type, { edns: { udpSize: 1232 } }),
  rcode,
  answers,
});

/** Every registered name once: what a cache holds after a while. */
export const everyHost = (entries: number): Question[] =>
  Array.from({ length: entries }, (_, n) => of(hostName(n), RRType.A, 0, 1));

/** Any number of questions: registered names, some of them asked for more often, others' names, and what is not there. */
export function* mixture(entries: number): Generator<Question, never> {
  const random = seeded(20_261_124);
  for (;;) {
    const kind = random.below(10);
    if (kind < 3) yield of(hostName(random.below(entries)), RRType.A, 0, 1);
    else if (kind < 5) yield of(hostName(random.below(Math.min(entries, 50))), RRType.A, 0, 1);
    else if (kind < 6) yield of(hostName(random.below(entries)), RRType.AAAA, 0, 0);
    else if (kind < 9) yield of(`www-${random.below(FORWARDED_NAMES)}.example.com`, RRType.A, 0, 1);
    else yield of(`nobody-${random.below(UNKNOWN_NAMES)}.internal`, RRType.A, 3, 0);
  }
}
