import { afterEach, describe, expect, it } from 'vitest';
import { RRType } from '../../src/dns/constants.ts';
import { createCertificate } from '../support/certificate.ts';
import { answersOf, message, name, queryWire, rcodeIn } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import {
  answersBySource,
  askTcp,
  Closers,
  eventually,
  meshTable,
  startShim,
  startSystemResolver,
  temporaryFolder,
  vipHost,
} from '../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const certificate = createCertificate(['127.0.0.1']);

async function endpoint(): Promise<MeshEndpoint> {
  const started = await MeshEndpoint.start(certificate);
  closers.add(() => started.takeAway());
  return started;
}

describe('a query', () => {
  it('is put to the endpoint with id 0, padded and without the client’s subnet, and answered with its own id', async () => {
    const doh = await endpoint();
    const { ask } = await startShim(closers, { endpoints: [doh] });
    const answer = await ask('WWW.example.org', 'A', { clientSubnet: true, keepCase: true });
    expect(answer.readUInt16BE(0)).toBe(4711);
    expect(message(answer).questions[0]?.name).toBe('www.example.org');
    expect(answer.includes('WWW')).toBe(true);
    const { body, query, method } = doh.requests.find((one) => one.query) ?? {};
    expect(method).toBe('POST');
    expect(query?.id).toBe(0);
    expect((body?.length ?? 1) % 128).toBe(0);
    expect(query?.edns?.hasClientSubnet).toBe(false);
  });

  it('without EDNS is padded on its way, too, and answered without EDNS', async () => {
    const doh = await endpoint();
    const { ask } = await startShim(closers, { endpoints: [doh] });
    const answer = await ask('www.example.org');
    expect(message(answer).edns).toBeUndefined();
    expect((doh.requests.find(({ query }) => query)?.body.length ?? 1) % 128).toBe(0);
  });

  it('is answered from the cache the second time, over UDP and TCP', async () => {
    const doh = await endpoint();
    const { ask, askTcp, shim } = await startShim(closers, { endpoints: [doh] });
    await ask('www.example.org');
    expect(answersOf(await ask('WWW.example.org'))[0]).toMatch(/^www.example.org \d+ A 192.0.2.1$/);
    expect(answersOf(await askTcp('www.example.org'))).toHaveLength(1);
    expect(doh.qnames).toEqual(['www.example.org']);
    expect(answersBySource(shim)).toMatchObject({ doh: 1, cache: 2 });
  });

  it('for a special name goes nowhere', async () => {
    const doh = await endpoint();
    const { ask } = await startShim(closers, { endpoints: [doh] });
    expect(answersOf(await ask('localhost'))).toEqual(['localhost 86400 A 127.0.0.1']);
    expect(rcodeIn(await ask('anything.invalid'))).toBe('NXDOMAIN');
    expect(doh.qnames).toEqual([]);
  });

  it('is answered by every one of 1,000 that came at once on one connection, in any order', async () => {
    const doh = await endpoint();
    const { shim } = await startShim(closers, { endpoints: [doh] });
    const [at] = shim.addresses;
    if (at === undefined) throw new Error('no address');
    const wires = Array.from({ length: 1000 }, (_, id) => queryWire(`host-${id % 50}.example.org`, 'A', { id }));
    const answers = await askTcp(at, wires);
    expect(new Set(answers.map((answer) => answer.readUInt16BE(0))).size).toBe(1000);
    for (const answer of answers) {
      const id = answer.readUInt16BE(0);
      expect(answersOf(answer)[0]).toMatch(new RegExp(`^host-${id % 50}\\.example\\.org `));
    }
  });

  it('that is refused for good by the view is refused here, and put to nobody else', async () => {
    const [doh, system] = [await endpoint(), await startSystemResolver(closers)];
    doh.respond = () => ({ rcode: 5, ede: { code: 18 } });
    const { ask } = await startShim(closers, { endpoints: [doh], system });
    expect(rcodeIn(await ask('www.example.org'))).toBe('REFUSED');
    expect(system.qnames).toEqual([]);
  });
});

describe('an answer that is too long for UDP', () => {
  const ADDRESSES = 43;
  const long = async () => {
    const doh = await endpoint();
    doh.respond = ({ question }) => {
      const owner = question?.qname ?? name('.');
      if (question?.qtype === RRType.TXT) {
        return {
          answers: Array.from({ length: 16 }, (_, n) => ({
            owner,
            ttl: 60,
            type: 'TXT',
            text: [`${n}`.padEnd(250, 'x')],
          })),
        };
      }
      const answers = Array.from({ length: ADDRESSES }, (_, n) => ({
        owner,
        ttl: 60,
        type: 'A' as const,
        address: `192.0.2.${n}`,
      }));
      return { answers };
    };
    return startShim(closers, { endpoints: [doh] });
  };

  it.each([
    [undefined, 512],
    [512, 512],
    [1232, 1232],
    [4096, 1232],
  ])('has whole records and TC for a client that takes %s octets', async (udpSize, most) => {
    const { ask, askTcp } = await long();
    for (const [type, whole] of [
      ['A', ADDRESSES],
      ['TXT', 16],
    ] as const) {
      const answer = await ask('many.example.org', type, udpSize === undefined ? {} : { edns: { udpSize } });
      const { answers, tc } = message(answer);
      expect(answer.length).toBeLessThanOrEqual(most);
      expect(tc).toBe(answers.length < whole);
      expect(answers.length).toBeGreaterThan(0);
      expect(message(await askTcp('many.example.org', type)).answers).toHaveLength(whole);
    }
  });
});

describe('the table of the mesh', () => {
  it('purges what a new entry contradicts: a name that was not there resolves within one look', async () => {
    const doh = await endpoint();
    doh.table = meshTable([]);
    const soa = { owner: name('internal'), ttl: 30, mname: name('internal'), rname: name('internal') };
    const timers = { serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 };
    const absent = { rcode: 3, authorities: [{ type: 'SOA' as const, ...soa, ...timers }] };
    doh.respond = () => absent;
    const { shim, ask } = await startShim(closers, { endpoints: [doh], conf: 'table-interval = 1s' });
    await eventually(() => shim.status().table.state === 'known', 3_000);
    expect(rcodeIn(await ask('late.internal'))).toBe('NXDOMAIN');
    doh.table = meshTable([vipHost('late.internal', '240.240.1.1')]);
    doh.respond = () => ({ answers: [{ type: 'A', owner: name('late.internal'), ttl: 300, address: '240.240.1.1' }] });
    expect(rcodeIn(await ask('late.internal'))).toBe('NXDOMAIN');
    await eventually(async () => rcodeIn(await ask('late.internal')) === 'NOERROR', 3_000);
  });

  it('is asked for with its ETag, and kept on disk', async () => {
    const doh = await endpoint();
    doh.table = meshTable([vipHost('one.internal', '240.240.1.1')]);
    const { shim, settings } = await startShim(closers, { endpoints: [doh], conf: 'table-interval = 1s' });
    await eventually(() => doh.tableRequests.length >= 3, 5_000);
    expect(doh.tableRequests[0]?.path).toBe('/v1/table?vips=0');
    expect(doh.tableRequests.slice(1).every(({ headers }) => headers['if-none-match'] !== undefined)).toBe(true);
    expect(shim.status().table).toMatchObject({ state: 'known', hosts: 1, failure: undefined });
    const again = await startShim(closers, { endpoints: [doh], stateDir: settings.stateDir });
    expect(again.shim.status().table.hosts).toBe(1);
  });

  it('need not be there', async () => {
    const doh = await endpoint();
    const { shim, ask } = await startShim(closers, { endpoints: [doh] });
    await eventually(() => shim.status().table.state === 'absent', 3_000);
    expect(answersOf(await ask('www.example.org'))).toHaveLength(1);
    expect(doh.tableRequests).toHaveLength(1);
  });
});

describe('virtual IPs', () => {
  const carrierOf = (ready: (host: string) => Promise<{ ipv4: boolean; ipv6: boolean } | undefined>) => {
    const updates: string[][] = [];
    const asked: string[] = [];
    const carrier = {
      update: async ({ hosts }: { hosts: readonly { host: string }[] }) =>
        void updates.push(hosts.map(({ host }) => host)),
      ready: (host: string) => {
        asked.push(host);
        return ready(host);
      },
      state: () => ({ kind: 'on' }),
      counters: async () => [],
      stop: async () => undefined,
    };
    return { updates, asked, openVips: async () => carrier };
  };

  it('are asked for only where they can be carried', async () => {
    const doh = await endpoint();
    const without = await startShim(closers, { endpoints: [doh] });
    await without.ask('a.example');
    const { openVips } = carrierOf(async () => undefined);
    const having = await startShim(closers, { endpoints: [doh], openVips });
    await having.ask('b.example');
    const paths = doh.requests.filter(({ query }) => query).map(({ path }) => path);
    expect(paths).toEqual(['/dns-query?vips=0', '/dns-query']);
  });

  it('are carried before they are answered, and an unknown one fetches the table at once', async () => {
    const doh = await endpoint();
    doh.table = meshTable([]);
    doh.respond = ({ question }) => ({
      answers: [{ owner: question?.qname ?? name('.'), ttl: 300, type: 'A', address: '240.240.1.1' }],
    });
    const { updates, asked, openVips } = carrierOf(async () => ({ ipv4: true, ipv6: false }));
    const { ask, shim } = await startShim(closers, { endpoints: [doh], openVips });
    await eventually(() => shim.status().table.state === 'known', 3_000);
    doh.table = meshTable([vipHost('new.internal', '240.240.1.1')]);
    expect(answersOf(await ask('new.internal'))).toEqual(['new.internal 300 A 240.240.1.1']);
    expect(updates.at(-1)).toEqual(['new.internal']);
    expect(asked).toEqual(['new.internal']);
  });

  it('of a family that leads nowhere are NODATA, if the other one leads somewhere', async () => {
    const doh = await endpoint();
    const host = vipHost('one.internal', '240.240.1.1');
    doh.table = meshTable([host]);
    doh.respond = ({ question }) => ({
      answers: [
        {
          owner: name('one.internal'),
          ttl: 300,
          type: question?.qtype === 28 ? 'AAAA' : 'A',
          address: question?.qtype === 28 ? '2001:2::1:1' : '240.240.1.1',
        },
      ],
    });
    const { openVips } = carrierOf(async () => ({ ipv4: true, ipv6: false }));
    const { ask, shim } = await startShim(closers, { endpoints: [doh], openVips });
    await eventually(() => shim.status().table.state === 'known', 3_000);
    expect(answersOf(await ask('one.internal'))).toHaveLength(1);
    const ipv6 = message(await ask('one.internal', 'AAAA'));
    expect(ipv6).toMatchObject({ rcode: 0, answers: [] });
    expect(ipv6.authorities.map(({ type }) => type)).toEqual([RRType.SOA]);
  });

  it('do not hold up an answer for longer than a second', async () => {
    const doh = await endpoint();
    doh.table = meshTable([vipHost('one.internal', '240.240.1.1')]);
    doh.respond = () => ({ answers: [{ owner: name('one.internal'), ttl: 300, type: 'A', address: '240.240.1.1' }] });
    const { openVips } = carrierOf(() => new Promise(() => undefined));
    const { ask, shim } = await startShim(closers, { endpoints: [doh], openVips });
    await eventually(() => shim.status().table.state === 'known', 3_000);
    expect(answersOf(await ask('one.internal'))).toHaveLength(1);
  });
});

describe('settings that are read again', () => {
  it('keep cache and sockets, and bring other endpoints', async () => {
    const [first, second] = [await endpoint(), await endpoint()];
    const stateDir = await temporaryFolder(closers);
    const { shim, ask, settings } = await startShim(closers, { endpoints: [first, second], stateDir });
    await ask('www.example.org');
    const before = shim.addresses;
    await shim.reload({ ...settings, endpoints: [second.url] });
    expect(shim.addresses).toEqual(before);
    expect(answersOf(await ask('www.example.org'))).toHaveLength(1);
    await ask('other.example.org');
    expect(first.qnames).toEqual(['www.example.org']);
    expect(second.qnames).toEqual(['other.example.org']);
  });

  it('forget answers of those who are not asked any more', async () => {
    const doh = await endpoint();
    const system = await startSystemResolver(closers);
    const { shim, ask, settings } = await startShim(closers, {
      endpoints: [doh],
      system,
      conf: 'route = corp.example=system',
    });
    await ask('www.corp.example');
    await shim.reload({ ...settings, routes: [] });
    expect(answersOf(await ask('www.corp.example'))).toEqual(['www.corp.example 60 A 192.0.2.1']);
    expect(system.qnames).toEqual(['www.corp.example']);
  });
});
