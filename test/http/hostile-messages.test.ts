import { expect, it } from 'vitest';
import { createDohTransaction } from '../../src/http/doh-transaction.ts';
import { openCredentials } from '../../src/http/local-credentials.ts';
import { type Answering, createAnswering, hostRecord } from '../support/answering.ts';
import { queryWire } from '../support/dns.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';
import { mutate, seeded } from '../support/seeded.ts';

const RUNS = 100_000;

const HOSTS = [
  hostRecord('one.internal', { addresses: ['192.0.2.1'] }),
  hostRecord('auto.internal', { vip: { ipv4: '240.240.0.1', ipv6: '2001:2::1' } }),
  hostRecord('*.wild.internal', { addresses: ['192.0.2.3'] }),
];
const VIEW = { ...DEFAULT_VIEW, searchDomains: ['internal', 'example.org'] };
const NAMES = ['one.internal', 'AUTO.internal', 'x.y.wild.internal', 'one', '_http._tcp.one.internal', 'localhost'];
const MORE = ['1.0.240.240.in-addr.arpa', 'www.example.org', 'one.internal.example.org', '.', `${'a.'.repeat(126)}b`];
const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'ANY', 'AXFR', 'HTTPS', 'TYPE65280'];
const OPTIONS = [
  {},
  { edns: { udpSize: 1232, do: true } },
  { padded: true },
  { clientSubnet: true, padded: true },
  { rd: false, cd: true, id: 0xfefe },
];
const MESSAGES = [...NAMES, ...MORE].flatMap((qname) =>
  TYPES.flatMap((type) => OPTIONS.map((options) => queryWire(qname, type, options))),
);

const transactionOf = ({ exchange }: Answering) =>
  createDohTransaction({ exchange, credentials: openCredentials(VIEW), queryTimeoutMs: 60_000 });

const postOf = (body: Buffer) => ({
  method: 'POST',
  target: '/dns-query',
  header: (field: string) => (field === 'content-type' ? 'application/dns-message' : undefined),
  body,
});

/** What a response must be to the query in any case. */
function isResponseTo(query: Buffer, response: Buffer): boolean {
  const flags = response[2] ?? 0;
  return response.length >= 12 && response.readUInt16BE(0) === query.readUInt16BE(0) && (flags & 0x80) === 0x80;
}

it(`${RUNS} hostile messages: always an answer or a refusal, in bounded work, and the cache changes none of them`, async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const random = seeded(seed);
  const [cached, uncached] = [createAnswering(HOSTS), createAnswering(HOSTS, 0)];
  const [withCache, without] = [transactionOf(cached), transactionOf(uncached)];
  const statuses = new Map<number, number>();
  for (let run = 0; run < RUNS; run++) {
    const wire = random.below(20) === 0 ? random.octets(random.below(80)) : mutate(random, random.oneOf(MESSAGES));
    const said = `seed ${seed}, run ${run}: ${wire.toString('hex')}`;
    const [answer, same] = [await withCache(postOf(wire)), await without(postOf(wire))];
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const right = answer.status === 400 || (answer.status === 200 && isResponseTo(wire, answer.body as Buffer));
    if (!right || !Buffer.from(answer.body).equals(Buffer.from(same.body))) {
      expect.fail(`${said} is answered ${answer.status} ${Buffer.from(answer.body).toString('hex')}`);
    }
    if (answer.headers['cache-control'] !== same.headers['cache-control']) expect.fail(said);
  }
  expect([...statuses.keys()].sort()).toEqual([200, 400]);
  expect(Math.min(...statuses.values())).toBeGreaterThan(RUNS / 20);
  expect(uncached.reads.count).toBeLessThanOrEqual(RUNS);
  expect(uncached.forwarded.length).toBeLessThanOrEqual(RUNS);
  expect(cached.exchange.counters.hits).toBeGreaterThan(RUNS / 20);
}, 120_000);
