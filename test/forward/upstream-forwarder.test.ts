import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { relayResponse } from '../../src/dns/relayed-response.ts';
import type { Forwarded, Forwarder, UpstreamFailure } from '../../src/forward/forwarder.ts';
import type { Upstream } from '../../src/forward/upstream.ts';
import {
  type ConnectingForwarder,
  createForwarder,
  type ForwardSettings,
} from '../../src/forward/upstream-forwarder.ts';
import { answersOf, decoded, name, query, rcodeIn } from '../support/dns.ts';
import {
  answer,
  DohUpstream,
  type DohUpstreamOptions,
  garbage,
  type Protocol,
  rcode,
  type Script,
  withMediaType,
  withStatus,
  wrongQuestion,
} from '../support/doh-upstream.ts';

const running: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
});

async function startUpstream(options: DohUpstreamOptions = {}): Promise<DohUpstream> {
  const upstream = await DohUpstream.start(options);
  running.push(upstream);
  return upstream;
}

const upstreamOf = ({ url, ca }: DohUpstream): Upstream => ({ url, ...(ca !== undefined && { ca }) });

function forwarderOf(upstreams: readonly DohUpstream[], settings: Partial<ForwardSettings> = {}): ConnectingForwarder {
  const forwarder = createForwarder({
    upstreams: upstreams.map(upstreamOf),
    upstreamTimeoutMs: 5_000,
    ...settings,
  });
  running.push(forwarder);
  return forwarder;
}

const originOf = ({ url }: DohUpstream): string => new URL(url).origin;

const forward = (forwarder: Forwarder, qname: string, signal = new AbortController().signal): Promise<Forwarded> =>
  forwarder.forward(query(qname, 'A', { id: 0x1234 }), signal);

const answeredBy = (upstream: DohUpstream) =>
  expect.objectContaining({ ok: true, upstream: originOf(upstream), age: 0 });

/** An address per upstream, so that answers tell where they are from. */
const answering =
  (address: string): Script =>
  (request) => {
    const owner = request.query.question?.qname;
    return answer(request, owner === undefined ? {} : { answers: [{ owner, ttl: 60, type: 'A', address }] });
  };

describe('failover', () => {
  const failures: readonly [UpstreamFailure['kind'], string, Script][] = [
    ['timeout', 'no answer', () => 'hang'],
    ['timeout', 'a silent network', () => 'blackhole'],
    ['transport', 'a reset', () => 'reset'],
    ['transport', 'a closed connection', () => 'disconnect'],
    ['transport', 'a response cut short', () => 'cut'],
    ['transport', 'GOAWAY again and again', () => 'goaway'],
    ['status', 'HTTP status 500', (request) => withStatus(request, 500)],
    ['status', 'a redirect', (request) => withStatus(request, 302)],
    ['media-type', 'HTML', (request) => withMediaType(request, 'text/html')],
    ['message', 'garbage', garbage],
    ['message', 'another question', wrongQuestion],
    ['rcode', 'SERVFAIL', (request) => rcode(request, 2)],
    ['rcode', 'REFUSED', (request) => rcode(request, 5)],
  ];

  describe.each<Protocol>(['h2', 'h1', 'plain'])('over %s', (protocol) => {
    it.each(failures)('goes on after %s: %s', async (_kind, _what, script) => {
      const bad = await startUpstream({ protocol, script });
      const good = await startUpstream({ protocol });
      const forwarder = forwarderOf([bad, good], { upstreamTimeoutMs: 2_000 });
      expect(await forward(forwarder, 'example.com')).toEqual(answeredBy(good));
      expect(bad.qnames.length).toBeGreaterThan(0);
    });

    it.each(failures)('tells of %s: %s', async (kind, _what, script) => {
      const bad = await startUpstream({ protocol, script });
      const forwarder = forwarderOf([bad], kind === 'timeout' ? { upstreamTimeoutMs: 200 } : {});
      expect(await forward(forwarder, 'example.com')).toMatchObject({
        ok: false,
        failures: [{ upstream: originOf(bad), kind, message: expect.any(String) }],
      });
    });
  });

  it('reports what each attempt met, in the order of the upstreams', async () => {
    const slow = await startUpstream({ script: async (request) => sleep(400, withStatus(request, 503)) });
    const refusing = await startUpstream({ script: (request) => rcode(request, 5) });
    const forwarded = await forward(forwarderOf([slow, refusing]), 'example.com');
    expect(forwarded).toMatchObject({
      ok: false,
      failures: [
        { upstream: originOf(slow), kind: 'status' },
        { upstream: originOf(refusing), kind: 'rcode', message: 'REFUSED' },
      ],
    });
  });

  it("returns the upstream's own SERVFAIL with id and question of the query", async () => {
    const failing = await startUpstream({ script: (request) => rcode(request, 2) });
    const asked = query('ExAmple.com', 'A', { id: 77, keepCase: true });
    const forwarded = await forwarderOf([failing]).forward(asked, new AbortController().signal);
    const theirs = forwarded.ok ? undefined : forwarded.failures[0]?.wire;
    if (theirs === undefined) throw new Error('no message');
    const wire = relayResponse(asked, theirs);
    expect(rcodeIn(wire)).toBe('SERVFAIL');
    expect(wire.readUInt16BE(0)).toBe(77);
    expect(wire.subarray(12, 12 + 17)).toEqual(asked.question?.wire);
  });

  it('takes NXDOMAIN for an answer', async () => {
    const first = await startUpstream({ script: (request) => rcode(request, 3) });
    const second = await startUpstream();
    expect(await forward(forwarderOf([first, second]), 'example.com')).toEqual(answeredBy(first));
    expect(second.requests).toEqual([]);
  });

  it('comes back to the first upstream once it works', async () => {
    const first = await startUpstream({ script: (request) => rcode(request, 2) });
    const second = await startUpstream();
    const forwarder = forwarderOf([first, second]);
    expect(await forward(forwarder, 'example.com')).toEqual(answeredBy(second));
    first.script = answer;
    expect(await forward(forwarder, 'example.com')).toEqual(answeredBy(first));
  });

  it('has nothing to report without upstreams', async () => {
    expect(await forward(forwarderOf([]), 'example.com')).toEqual({ ok: false, failures: [] });
  });
});

describe('hedging', () => {
  it('asks the second upstream when the first is slow, and cancels the loser', async () => {
    const slow = await startUpstream({ script: () => 'hang' });
    const good = await startUpstream();
    expect(await forward(forwarderOf([slow, good]), 'example.com')).toEqual(answeredBy(good));
    expect(await slow.requests[0]?.served).toBe(false);
  });

  it('takes the answer of the first if it comes before that of the second', async () => {
    const late = await startUpstream({ script: (request) => sleep(400, answer(request)) });
    const later = await startUpstream({ script: () => 'hang' });
    expect(await forward(forwarderOf([late, later]), 'example.com')).toEqual(answeredBy(late));
    expect(await later.requests[0]?.served).toBe(false);
  });

  it('does not disturb the second upstream while the first answers in time', async () => {
    const first = await startUpstream();
    const second = await startUpstream();
    const forwarder = forwarderOf([first, second]);
    await forward(forwarder, 'example.com');
    await sleep(300);
    expect(second.connections).toBe(0);
  });
});

describe('identical queries under way', () => {
  it('share one exchange, and each gets its own id and case', async () => {
    const upstream = await startUpstream({ script: (request) => sleep(50, answer(request)) });
    const forwarder = forwarderOf([upstream]);
    const asked = ['example.com', 'EXAMPLE.com', 'eXaMpLe.CoM'].map((qname, id) =>
      query(qname, 'A', { id, keepCase: true }),
    );
    const forwarded = await Promise.all(asked.map((each) => forwarder.forward(each, new AbortController().signal)));
    expect(upstream.requests).toHaveLength(1);
    for (const [index, each] of forwarded.entries()) {
      const asking = asked[index];
      if (!each.ok || asking === undefined) throw new Error('not answered');
      const wire = relayResponse(asking, each.wire);
      expect(wire.readUInt16BE(0)).toBe(index);
      expect(wire.subarray(12, 12 + 17)).toEqual(asking.question?.wire);
      expect(answersOf(wire)).toHaveLength(1);
    }
  });

  it('are told apart by everything but id and case', async () => {
    const upstream = await startUpstream({ script: (request) => sleep(50, answer(request)) });
    const forwarder = forwarderOf([upstream]);
    const { signal } = new AbortController();
    const edns = { udpSize: 1232 };
    const asked = [
      query('example.com', 'A'),
      query('example.com', 'AAAA'),
      query('example.net', 'A'),
      query('example.com', 'A', { rd: false }),
      query('example.com', 'A', { cd: true }),
      query('example.com', 'A', { edns }),
      query('example.com', 'A', { edns: { ...edns, do: true } }),
    ];
    await Promise.all(asked.map((each) => forwarder.forward(each, signal)));
    expect(upstream.requests).toHaveLength(asked.length);
  });

  it('are asked again once the exchange is over', async () => {
    const upstream = await startUpstream();
    const forwarder = forwarderOf([upstream]);
    await forward(forwarder, 'example.com');
    await forward(forwarder, 'example.com');
    expect(upstream.requests).toHaveLength(2);
  });

  it('go on when one caller gives up', async () => {
    const upstream = await startUpstream({ script: (request) => sleep(100, answer(request)) });
    const forwarder = forwarderOf([upstream]);
    const impatient = new AbortController();
    const given = forward(forwarder, 'example.com', impatient.signal);
    const kept = forward(forwarder, 'example.com');
    impatient.abort();
    expect(await given).toMatchObject({ ok: false });
    expect(await kept).toEqual(answeredBy(upstream));
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('abort', () => {
  it('cancels the exchange when the last caller gives up, and reports what was met so far', async () => {
    const failing = await startUpstream({ script: (request) => rcode(request, 2) });
    const hanging = await startUpstream({ script: () => 'hang' });
    const forwarder = forwarderOf([failing, hanging]);
    const callers = [new AbortController(), new AbortController()];
    const pending = callers.map(({ signal }) => forward(forwarder, 'example.com', signal));
    await vi.waitFor(() => expect(hanging.requests).toHaveLength(1));
    for (const caller of callers) caller.abort();
    for (const forwarded of await Promise.all(pending)) {
      expect(forwarded).toMatchObject({
        ok: false,
        failures: [
          { upstream: originOf(failing), kind: 'rcode', wire: expect.any(Buffer) },
          { upstream: originOf(hanging), kind: 'timeout' },
        ],
      });
    }
    expect(await hanging.requests[0]?.served).toBe(false);
  });

  it('does not keep a later query from being asked', async () => {
    const upstream = await startUpstream({ script: () => 'hang' });
    const forwarder = forwarderOf([upstream]);
    await forward(forwarder, 'example.com', AbortSignal.timeout(50));
    upstream.script = answer;
    expect(await forward(forwarder, 'example.com')).toEqual(answeredBy(upstream));
  });

  it('asks nobody when it came first', async () => {
    const upstream = await startUpstream();
    expect(await forward(forwarderOf([upstream]), 'example.com', AbortSignal.abort())).toMatchObject({ ok: false });
    expect(upstream.connections).toBe(0);
  });

  it('has no listener left after the answer', async () => {
    const upstream = await startUpstream();
    const { signal } = new AbortController();
    await forward(forwarderOf([upstream]), 'example.com', signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('routes', () => {
  async function routed() {
    const [fallback, corp, lab] = await Promise.all(
      ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => startUpstream({ script: answering(address) })),
    );
    if (!fallback || !corp || !lab) throw new Error('not started');
    const routes = new Map([
      [name('corp.example'), [upstreamOf(corp)]],
      [name('LAB.corp.example.'), [upstreamOf(lab), upstreamOf(corp)]],
    ]);
    return { fallback, corp, lab, forwarder: forwarderOf([fallback], { routes }) };
  }

  it.each([
    ['example', '192.0.2.1'],
    ['notcorp.example', '192.0.2.1'],
    ['corp.example.org', '192.0.2.1'],
    ['corp.example', '192.0.2.2'],
    ['a.b.corp.example', '192.0.2.2'],
    ['xlab.corp.example', '192.0.2.2'],
    ['lab.corp.example', '192.0.2.3'],
    ['A.Lab.Corp.Example', '192.0.2.3'],
  ])('take %s to %s', async (qname, address) => {
    const { forwarder } = await routed();
    const forwarded = await forward(forwarder, qname);
    expect(forwarded.ok && answersOf(forwarded.wire)).toEqual([`${qname.toLowerCase()} 60 A ${address}`]);
  });

  it('are told without asking', async () => {
    const { forwarder, fallback, corp, lab } = await routed();
    expect(forwarder.upstreamsFor('example.com')).toEqual([originOf(fallback)]);
    expect(forwarder.upstreamsFor('www.lab.corp.example.')).toEqual([originOf(lab), originOf(corp)]);
    expect(forwarder.upstreamsFor('not..a.name')).toEqual([]);
    expect(forwarder.hasRouteFor('corp.example')).toBe(true);
    expect(forwarder.hasRouteFor('www.corp.example')).toBe(true);
    expect(forwarder.hasRouteFor('example')).toBe(false);
    expect(forwarder.hasRouteFor('not..a.name')).toBe(false);
  });

  it('share a connection when they lead to the same server', async () => {
    const upstream = await startUpstream();
    const forwarder = forwarderOf([upstream], { routes: new Map([[name('corp.example'), [upstreamOf(upstream)]]]) });
    await forward(forwarder, 'example.com');
    await forward(forwarder, 'corp.example');
    expect(upstream.connections).toBe(1);
  });

  it('of the root replace the default and are no suffix rule', async () => {
    const [first, second] = [await startUpstream(), await startUpstream()];
    const forwarder = forwarderOf([first], { routes: new Map([[name('.'), [upstreamOf(second)]]]) });
    expect(forwarder.upstreamsFor('example.com')).toEqual([originOf(second)]);
    expect(forwarder.hasRouteFor('example.com')).toBe(false);
  });

  it('without upstreams are legal', async () => {
    const forwarder = forwarderOf([await startUpstream()], { routes: new Map([[name('corp.example'), []]]) });
    expect(await forward(forwarder, 'corp.example')).toEqual({ ok: false, failures: [] });
  });
});

describe('what an upstream is asked', () => {
  it('has id 0, is padded, and does not name the client', async () => {
    const upstream = await startUpstream();
    const asked = query('example.com', 'A', { id: 99, clientSubnet: true });
    const forwarded = await forwarderOf([upstream]).forward(asked, new AbortController().signal);
    const seen = decoded(upstream.requests[0]?.body ?? Buffer.alloc(0));
    expect(seen).toMatchObject({ id: 0, edns: { hasClientSubnet: false, padded: true } });
    expect(seen.wire.length % 128).toBe(0);
    if (!forwarded.ok) throw new Error('not answered');
    const wire = relayResponse(asked, forwarded.wire);
    expect(wire.readUInt16BE(0)).toBe(99);
    expect(wire.length).toBeLessThan(100);
  });
});

describe('a blackholed network', () => {
  it('is left behind by the query after the one that timed out', async () => {
    const upstream = await startUpstream();
    const forwarder = forwarderOf([upstream], { upstreamTimeoutMs: 1_000 });
    await forward(forwarder, 'a.example');
    upstream.blackhole();
    expect(await forward(forwarder, 'b.example')).toMatchObject({ ok: false, failures: [{ kind: 'timeout' }] });
    expect(await forward(forwarder, 'c.example')).toEqual(answeredBy(upstream));
  });
});

describe('close', () => {
  it('ends connections and pending queries', async () => {
    const upstream = await startUpstream({ script: () => 'hang' });
    const forwarder = forwarderOf([upstream]);
    const pending = forward(forwarder, 'example.com');
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1));
    await forwarder.close();
    expect(await pending).toMatchObject({ ok: false, failures: [{ kind: 'transport' }] });
    await vi.waitFor(() => expect(upstream.openConnections).toBe(0));
  });
});

describe('connecting ahead of queries', () => {
  it('reaches all upstreams, those of routes too, and their first queries use the connections', async () => {
    const [first, second] = [await startUpstream(), await startUpstream()];
    const forwarder = forwarderOf([first], { routes: new Map([[name('corp.example'), [upstreamOf(second)]]]) });
    await forwarder.connect(AbortSignal.timeout(5_000));
    expect([first.connections, second.connections]).toEqual([1, 1]);
    expect([first.requests, second.requests]).toEqual([[], []]);
    await forward(forwarder, 'example.com');
    await forward(forwarder, 'corp.example');
    expect([first.connections, second.connections]).toEqual([1, 1]);
  });

  it('gives up at the signal, or at once where nobody listens, and queries find out for themselves', async () => {
    const silent = await startUpstream();
    silent.ignoresConnections = true;
    const gone = await startUpstream();
    await gone.close();
    await forwarderOf([silent, gone]).connect(AbortSignal.timeout(50));
    expect(silent.requests).toEqual([]);
  });
});
