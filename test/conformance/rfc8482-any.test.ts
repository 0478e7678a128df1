import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

overEveryCarrier('RFC 8482', [hostRecord('owned.internal')], (talk) => {
  it('section 4.2: ANY of an owned name is one HINFO', async () => {
    for (const _ of ['first', 'from the cache']) {
      expect(answersOf(await talk.ask(queryWire('owned.internal', 'ANY')))).toEqual([
        'owned.internal 30 HINFO "RFC8482" ""',
      ]);
    }
  });

  it('ANY of a name that does not exist is NXDOMAIN', async () => {
    expect(rcodeIn(await talk.ask(queryWire('nobody.internal', 'ANY')))).toBe('NXDOMAIN');
  });
});
