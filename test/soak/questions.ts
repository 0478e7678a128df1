import { RRType } from '../../src/dns/constants.ts';
import { uint8, uint16 } from '../../src/dns/octets.ts';
import { queryWire } from '../support/dns.ts';
import { seeded } from '../support/seeded.ts';

export interface Question {
  readonly wire: Buffer;
  readonly rcode: number;
  readonly answers: number;
}

const FORWARDED_NAMES = 1_000;
const UNKNOWN_NAMES = 1_000;

export const hostName = (n: number): string => `service-${n}.soak.internal`;

export const isRight = ({ rcode, answers }: Question, response: Buffer): boolean =>
  (uint8(response, 3) & 0x0f) === rcode && uint16(response, 6) === answers;

const of = (name: string, type: number, rcode: number, answers: number): Question => ({
  wire: queryWire(name, type, { edns: { udpSize: 1232 } }),
  rcode,
  answers,
});

const registered = (n: number): Question => of(hostName(n), RRType.A, 0, 1);
const withoutIpv6 = (n: number): Question => of(hostName(n), RRType.AAAA, 0, 0);
const forwarded = (n: number): Question => of(`www-${n}.example.com`, RRType.A, 0, 1);
const unknown = (n: number): Question => of(`nobody-${n}.internal`, RRType.A, 3, 0);

/** Each question of the mixture once: what a cache holds after a while. */
export function* everyQuestion(entries: number): Generator<Question, undefined> {
  for (let n = 0; n < entries; n++) yield registered(n);
  for (let n = 0; n < entries; n++) yield withoutIpv6(n);
  for (let n = 0; n < FORWARDED_NAMES; n++) yield forwarded(n);
  for (let n = 0; n < UNKNOWN_NAMES; n++) yield unknown(n);
}

/** Any number of questions: registered names, some of them asked for more often, others' names, and what is not there. */
export function* mixture(entries: number): Generator<Question, never> {
  const random = seeded(20_261_124);
  for (;;) {
    const kind = random.below(10);
    if (kind < 3) yield registered(random.below(entries));
    else if (kind < 5) yield registered(random.below(Math.min(entries, 50)));
    else if (kind < 6) yield withoutIpv6(random.below(entries));
    else if (kind < 9) yield forwarded(random.below(FORWARDED_NAMES));
    else yield unknown(random.below(UNKNOWN_NAMES));
  }
}
