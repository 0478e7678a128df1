import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, queryWire } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

overEveryCarrier('RFC 4343', [hostRecord('owned.internal')], (talk) => {
  it.each(['owned.internal', 'www.example.org'])(
    'section 3: %s is one name in every case, and each keeps its own',
    async (qname) => {
      const mixed = qname.replaceAll(/[a-m]/g, (letter) => letter.toUpperCase());
      const answers = [];
      for (const asked of [qname, mixed, qname.toUpperCase(), mixed]) {
        const query = queryWire(asked, 'A', { keepCase: true });
        const wire = await talk.ask(query);
        expect(wire.subarray(12, query.length).equals(query.subarray(12))).toBe(true);
        answers.push(answersOf(wire).sort());
      }
      expect(new Set(answers.map(String)).size).toBe(1);
      expect(talk.answering.forwarded).toHaveLength(qname === 'owned.internal' ? 0 : 1);
    },
  );

  it('section 3: octets that are no ASCII letters are not folded', async () => {
    await talk.ask(queryWire('\\192.example.org'));
    await talk.ask(queryWire('\\224.example.org'));
    expect(talk.answering.forwarded).toHaveLength(2);
  });
});
