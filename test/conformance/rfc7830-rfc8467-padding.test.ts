import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, message, name, queryWire } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const NAMES = ['owned.internal', 'nobody.internal', 'localhost', 'www.example.org'];

overEveryCarrier('RFC 7830 and RFC 8467', [hostRecord('owned.internal')], (talk) => {
  it.each(NAMES)('the response to a padded query for %s is a multiple of 468 octets', async (qname) => {
    for (const _ of ['first', 'from the cache']) {
      const wire = await talk.ask(queryWire(qname, 'A', { padded: true }));
      expect(wire.length).toBe(468);
      expect(message(wire).edns).toBeDefined();
      expect((await talk.ask(queryWire(qname, 'A', { edns: { udpSize: 1232 } }))).length).toBeLessThan(200);
    }
  });

  it('a larger one is the next multiple, and loses nothing', async () => {
    talk.answering.upstream = () => ({
      answers: Array.from({ length: 60 }, (_, index) => ({
        type: 'A',
        owner: name('www.example.org'),
        ttl: 300,
        address: `192.0.2.${index}`,
      })),
    });
    const wire = await talk.ask(queryWire('www.example.org', 'A', { padded: true }));
    expect(wire.length).toBe(3 * 468);
    expect(answersOf(wire)).toHaveLength(60);
  });

  it('errors and stale answers are padded, too', async () => {
    const asked = queryWire('www.example.org', 'A', { padded: true });
    await talk.ask(asked);
    talk.answering.upstream = () => 'timeout';
    talk.answering.clock.now += 300_000;
    expect((await talk.ask(asked)).length).toBe(468);
    expect((await talk.ask(queryWire('never.example.org', 'A', { padded: true }))).length).toBe(468);
  });
});
