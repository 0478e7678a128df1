import { expect, it } from 'vitest';
import { openCredentials } from '../../src/http/local-credentials.ts';
import { createAnswering } from '../support/answering.ts';
import { answersOf, edeCodesOf, message, queryWire, rcodeIn, responseWire } from '../support/dns.ts';
import { openDriver } from '../support/doh-driver.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';

const edns = { udpSize: 1232 };
const asked = queryWire('www.example.org', 'A', { edns });

overEveryCarrier('RFC 8914', [], (talk) => {
  it('section 4.23: no upstream was reachable', async () => {
    talk.answering.upstream = () => 'timeout';
    const wire = await talk.ask(asked);
    expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['SERVFAIL', [22]]);
  });

  it('section 4.23: upstreams that refuse are no reason for a REFUSED of ours', async () => {
    talk.answering.upstream = () => ({ rcode: 5 });
    const { headers, body } = await talk.post(asked);
    expect([rcodeIn(body), headers['cache-control']]).toEqual(['SERVFAIL', 'no-store']);
    expect(message(body).edns?.ede).toEqual([{ code: 22, text: 'upstreams failed: REFUSED' }]);
  });

  it('section 3: an upstream’s own extended error is handed on, to those who have EDNS', async () => {
    const ede = { code: 9, text: 'no key' };
    talk.answering.upstream = (query) => responseWire(query, { rcode: 2, ede });
    const wire = await talk.ask(asked);
    expect([rcodeIn(wire), message(wire).edns?.ede]).toEqual(['SERVFAIL', [ede]]);
    expect(edeCodesOf(await talk.ask(queryWire('www.example.org')))).toEqual([]);
  });

  it('section 4.15: the registry cannot be read; a name that may be private is not forwarded', async () => {
    talk.answering.reads.available = false;
    const { headers, body } = await talk.post(asked);
    expect([rcodeIn(body), edeCodesOf(body), headers['cache-control']]).toEqual(['SERVFAIL', [14], 'no-store']);
    expect(talk.answering.forwarded).toEqual([]);
    talk.answering.reads.available = true;
    expect(answersOf(await talk.ask(asked))).toHaveLength(1);
  });
});

it('RFC 8914 section 4.19: a view that does not forward is refused, and that is final', async () => {
  const answering = createAnswering();
  const view = { ...DEFAULT_VIEW, forwardUnknown: false };
  const driver = await openDriver('HTTP/1.1', answering.exchange, openCredentials(view));
  const { headers, body } = await driver.send({ target: `/dns-query?dns=${asked.toString('base64url')}` });
  await driver.close();
  expect([rcodeIn(body), edeCodesOf(body), headers['cache-control']]).toEqual(['REFUSED', [18], 'no-store']);
});
