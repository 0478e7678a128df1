import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { uint16 } from '../../src/dns/octets.ts';
import { recordsOf } from '../../src/dns/walk.ts';
import type { Forwarder } from '../../src/forward/forwarder.ts';
import { createForwarder } from '../../src/forward/upstream-forwarder.ts';
import { forwardedAnswer } from '../../src/resolve/forwarded.ts';
import { type Certificate, createCertificate } from '../support/certificate.ts';
import { answersOf, message, type QueryOptions, query, rcodeIn } from '../support/dns.ts';
import { DohUpstream } from '../support/doh-upstream.ts';
import { requireInstalled } from './installed.ts';
import {
  MANY,
  type RealUpstream,
  startDnsdist,
  startKnotResolver,
  startUnbound,
  TEXT,
  ZONE,
} from './real-upstreams.ts';

const certificate: Certificate = createCertificate();
const edns = { udpSize: 1232 };

let folder: string;
let unbound: RealUpstream;
let kresd: RealUpstream;
let dnsdist: RealUpstream;
let dnsdistH1: RealUpstream;

beforeAll(async () => {
  requireInstalled('unbound', 'kresd', 'dnsdist');
  folder = await mkdtemp(join(tmpdir(), 'meshdoh-upstreams-'));
  const at = { folder, certificate };
  [unbound, kresd, dnsdist, dnsdistH1] = await Promise.all([
    startUnbound(at),
    startKnotResolver(at),
    startDnsdist(at, 'h2'),
    startDnsdist(at, 'h1'),
  ]);
});
afterAll(async () => {
  await Promise.all([unbound, kresd, dnsdist, dnsdistH1].map((one) => one?.stop()));
  await rm(folder, { recursive: true, force: true });
});

let forwarder: Forwarder;
afterEach(() => forwarder.close());

/** Asks these upstreams in this order, as a client would be answered. */
function ask(upstreams: readonly Pick<RealUpstream, 'upstream'>[]) {
  forwarder = createForwarder({ upstreams: upstreams.map(({ upstream }) => upstream), upstreamTimeoutMs: 5_000 });
  return async (qname: string, type: string | number = 'A', options: QueryOptions = { edns }) =>
    (await forwardedAnswer(query(`${qname}.${ZONE}`, type, options), { forwarder }, AbortSignal.timeout(10_000))).wire;
}

const ONE = [`one.${ZONE} 300 A 192.0.2.1`];

describe('a real DoH server', () => {
  it.each([
    ['unbound', () => unbound],
    ['knot-resolver', () => kresd],
    ['dnsdist', () => dnsdist],
    ['dnsdist over HTTP/1.1', () => dnsdistH1],
  ])('%s answers', async (_name, upstream) => {
    const wire = await ask([upstream()])('one');
    expect([rcodeIn(wire), message(wire).answers[0]?.data]).toEqual(['NOERROR', '192.0.2.1']);
  });

  it.each([
    ['unbound', () => unbound],
    ['knot-resolver', () => kresd],
  ])('%s: a large answer comes whole', async (_name, upstream) => {
    const wire = await ask([upstream()])('many');
    expect(message(wire)).toMatchObject({ tc: false });
    expect(new Set(message(wire).answers.map(({ data }) => data)).size).toBe(MANY);
  });

  it('a text of 4 KB comes whole, also to a client without EDNS', async () => {
    for (const options of [{ edns }, {}]) {
      const wire = await ask([unbound])('text', 'TXT', options);
      expect(message(wire).answers[0]?.data).toBe(TEXT.map((text) => `"${text}"`).join(' '));
      expect(message(wire).tc).toBe(false);
    }
  });

  it('octets of types that nobody here knows come untouched', async () => {
    const wire = await ask([unbound])('odd', 65_280);
    const [record] = recordsOf(wire) ?? [];
    expect(record && wire.subarray(record.rdataOffset, record.end).toString('hex')).toBe('deadbeef');
    expect(answersOf(await ask([unbound])('web', 'HTTPS'))).toEqual([
      `web.${ZONE} 300 HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.7`,
    ]);
  });

  it('signatures come to those who ask for them, and only to them', async () => {
    const types = async (options: QueryOptions) =>
      (recordsOf(await ask([unbound])('signed', 'A', options)) ?? [])
        .filter(({ section }) => section === 'answer')
        .map(({ type }) => type);
    expect(await types({ edns: { ...edns, do: true } })).toEqual([1, 46]);
    expect(await types({ edns })).toEqual([1]);
    const withCd = await ask([unbound])('signed', 'A', { edns: { ...edns, do: true }, cd: true });
    expect(message(withCd)).toMatchObject({ cd: true, edns: { do: true } });
  });

  it('is asked without the client’s subnet and with padding, whether or not the client pads', async () => {
    for (const upstream of [dnsdist, dnsdistH1]) {
      for (const options of [{ edns }, { clientSubnet: true }, { clientSubnet: true, padded: true }]) {
        expect(answersOf(await ask([upstream])('one', 'A', options))).toEqual(ONE);
      }
    }
  });

  it('pads its answer, and the client gets padding only if it padded', async () => {
    const plain = await ask([unbound])('one');
    expect(plain.length).toBeLessThan(128);
    const padded = await ask([unbound])('one', 'A', { padded: true });
    expect(padded.length % 468).toBe(0);
    expect(uint16(padded, 10)).toBe(1);
  });
});

describe('failover', () => {
  it('from a server that refuses, to one that answers', async () => {
    // Without EDNS there is no padding, which dnsdist insists on here.
    const wire = await ask([dnsdist, kresd])('one', 'A', {});
    expect(message(wire).answers[0]?.data).toBe('192.0.2.1');
  });

  it('from one that misbehaves, whatever it does, to a real one', async () => {
    for (const action of ['reset', 'cut', 'goaway', 'disconnect', 'hang'] as const) {
      const broken = await DohUpstream.start({ script: () => action });
      const { url, ca } = broken;
      const asked = ask([{ upstream: { url, ...(ca && { ca }) } }, unbound]);
      expect(answersOf(await asked('one'))).toEqual(ONE);
      await forwarder.close();
      await broken.close();
    }
  });

  it('from a server that is killed between two queries', async () => {
    const victim = await startUnbound({ folder, certificate });
    const asked = ask([victim, kresd]);
    expect(answersOf(await asked('one'))).toEqual(ONE);
    expect(rcodeIn(await asked('text', 'TXT'))).toBe('NOERROR');
    await victim.stop();
    const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => asked('many')));
    expect(message(first as Buffer).answers).toHaveLength(MANY);
    expect(others.every((wire) => message(wire).answers.length === MANY)).toBe(true);
    expect(message(await asked('one')).answers[0]?.data).toBe('192.0.2.1');
  });

  it('of all: SERVFAIL with the reason', async () => {
    const victim = await startDnsdist({ folder, certificate }, 'h2');
    await victim.stop();
    const wire = await ask([victim, { upstream: { url: 'http://127.0.0.1:9/dns-query' } }])('one');
    expect(rcodeIn(wire)).toBe('SERVFAIL');
    expect(message(wire).edns?.ede[0]?.code).toBe(22);
  });
});
