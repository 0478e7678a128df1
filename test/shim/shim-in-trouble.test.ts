import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createCertificate } from '../support/certificate.ts';
import { answersOf, authoritiesOf, edeCodesOf, name, rcodeIn } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import {
  answersBySource,
  Closers,
  eventually,
  meshTable,
  type RunningShimOptions,
  startShim,
  startSystemResolver,
  temporaryFolder,
  vipHost,
} from '../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const certificate = createCertificate(['127.0.0.1']);
const VIP = '240.240.1.1';
const EDNS = { edns: { udpSize: 1232 } };
const SYSTEM = '198.51.100.53';

/** A mesh with one host, and a network with a resolver of its own. */
async function world(options: RunningShimOptions = {}) {
  const doh = await MeshEndpoint.start(certificate);
  closers.add(() => doh.takeAway());
  doh.table = meshTable([vipHost('one.internal', VIP)]);
  const system = await startSystemResolver(closers);
  const running = await startShim(closers, { endpoints: [doh], system, ...options });
  await eventually(() => running.shim.status().table.state === 'known', 3_000);
  return { doh, system, ...running };
}

function soaOf(zone: string) {
  const timers = { serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum: 3600 };
  return { type: 'SOA' as const, owner: name(zone), ttl: 3600, mname: name(zone), rname: name(zone), ...timers };
}

const isUp = ({ shim }: Awaited<ReturnType<typeof world>>): boolean => shim.status().endpoints[0]?.state.up === true;

/** What holds for every way in which an endpoint can be away. */
async function expectPolicy({ ask, system }: Awaited<ReturnType<typeof world>>): Promise<void> {
  const mesh = await ask('one.internal', 'A', EDNS);
  expect(answersOf(mesh)).toEqual([`one.internal 30 A ${VIP}`]);
  expect(edeCodesOf(mesh)).toEqual([3]);
  expect(rcodeIn(await ask('one.internal', 'AAAA'))).toBe('NOERROR');
  expect(rcodeIn(await ask('unknown.internal'))).toBe('SERVFAIL');
  expect(rcodeIn(await ask('www.cluster.local'))).toBe('SERVFAIL');
  expect(answersOf(await ask('www.example.org'))[0]).toContain(SYSTEM);
  expect(system.qnames).toEqual(['www.example.org']);
}

describe('an endpoint that is away', () => {
  it('leaves the mesh to its table, private names to nobody, and others to the host’s own resolvers', async () => {
    const at = await world();
    await at.doh.takeAway();
    await expectPolicy(at);
    expect(at.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  it('is asked again soon after it has come back', async () => {
    const at = await world();
    await at.doh.takeAway();
    await at.ask('www.example.org');
    expect(isUp(at)).toBe(false);
    await at.doh.bringBack();
    await eventually(() => isUp(at), 10_000);
    expect(answersOf(await at.ask('other.example.org'))[0]).toContain('192.0.2.1');
  });

  it('leaves other names unanswered, if the settings say so', async () => {
    const at = await world({ conf: 'fallback = none' });
    await at.doh.takeAway();
    const answer = await at.ask('www.example.org', 'A', EDNS);
    expect(rcodeIn(answer)).toBe('SERVFAIL');
    expect(edeCodesOf(answer)).toEqual([22]);
    expect(at.system.qnames).toEqual([]);
  });

  it('has its earlier answers served past their end', async () => {
    const at = await world({ conf: 'fallback = none' });
    at.doh.respond = ({ question }) => ({
      answers: [{ owner: question?.qname ?? name('.'), ttl: 1, type: 'A', address: '192.0.2.1' }],
    });
    await at.ask('www.example.org', 'A', EDNS);
    await at.doh.takeAway();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const answer = await at.ask('www.example.org', 'A', EDNS);
    expect(answersOf(answer)).toEqual(['www.example.org 1 A 192.0.2.1']);
    expect(edeCodesOf(answer)).toEqual([3]);
    expect(answersBySource(at.shim).stale).toBe(1);
  });

  it('does not keep the mesh’s names from a host that has just booted', async () => {
    const stateDir = await temporaryFolder(closers);
    const at = await world({ stateDir });
    await at.shim.close();
    await at.doh.takeAway();
    const { endpoints, system } = { endpoints: [at.doh], system: at.system };
    const { ask } = await startShim(closers, { stateDir, endpoints, system });
    expect(answersOf(await ask('one.internal'))).toEqual([`one.internal 30 A ${VIP}`]);
    expect(answersOf(await ask('www.example.org'))[0]).toContain(SYSTEM);
    expect(at.system.qnames).toEqual(['www.example.org']);
  });

  /** Which an earlier run of a shim has kept, of an endpoint that has gone since. */
  async function keptTable(host: string) {
    const stateDir = await temporaryFolder(closers);
    const at = await world({ stateDir });
    at.doh.table = meshTable([vipHost(host, VIP)]);
    await at.shim.reload(at.settings);
    await eventually(async () => (await readFile(join(stateDir, 'table.json'), 'utf8')).includes(host), 5_000);
    await at.shim.close();
    await at.doh.takeAway();
    return { ...at, stateDir };
  }

  it.each([
    ['another way to ask it', ({ url, ca }: MeshEndpoint) => ({ url: `${url}?tenant=b`, ca })],
    ['another endpoint', ({ ca }: MeshEndpoint) => ({ url: 'https://127.0.0.1:9/dns-query', ca })],
  ])('lets nobody else have names of a table that was kept for %s, and answers none from it', async (_, changed) => {
    const { stateDir, system, doh } = await keptTable('api.public.example');
    const { ask } = await startShim(closers, { stateDir, system, endpoints: [changed(doh) as MeshEndpoint] });
    expect(rcodeIn(await ask('api.public.example'))).toBe('SERVFAIL');
    expect(answersOf(await ask('www.example.org'))[0]).toContain(SYSTEM);
    expect(system.qnames).toEqual(['www.example.org']);
  });

  it('that has no table makes one void that was kept for another endpoint', async () => {
    const { stateDir, system } = await keptTable('api.public.example');
    const plain = await MeshEndpoint.start(certificate);
    const { ask, shim } = await startShim(closers, { stateDir, system, endpoints: [plain] });
    await eventually(() => shim.status().table.state === 'absent', 3_000);
    await plain.takeAway();
    expect(answersOf(await ask('api.public.example'))[0]).toContain(SYSTEM);
  });

  it('is replaced by the next one, in their order', async () => {
    const second = await MeshEndpoint.start(certificate);
    closers.add(() => second.takeAway());
    const first = await MeshEndpoint.start(certificate);
    const { ask } = await startShim(closers, { endpoints: [first, second], conf: 'fallback = none' });
    await ask('www.example.org');
    await first.takeAway();
    expect(answersOf(await ask('other.example.org'))).toHaveLength(1);
    expect(second.qnames).toContain('other.example.org');
    expect(second.qnames).not.toContain('www.example.org');
  });
});

describe('while another answers for it', () => {
  it('its answers are for half a minute, and denials for a minute', async () => {
    const at = await world();
    at.system.respond = ({ question }) =>
      question?.qname === 'no.example.org'
        ? { rcode: 3, authorities: [soaOf('example.org')] }
        : { answers: [{ owner: question?.qname ?? name('.'), ttl: 3600, type: 'A', address: SYSTEM }] };
    await at.doh.takeAway();
    expect(answersOf(await at.ask('www.example.org'))).toEqual([`www.example.org 30 A ${SYSTEM}`]);
    expect(answersOf(await at.ask('www.example.org'))).toEqual([`www.example.org 30 A ${SYSTEM}`]);
    expect(authoritiesOf(await at.ask('no.example.org'))[0]).toMatch(/^example\.org 30 SOA /);
    expect(at.system.qnames).toEqual(['www.example.org', 'no.example.org']);
  });
});

describe('that a name may not be asked for', () => {
  it('is final: neither the next endpoint nor the host’s own resolvers are asked', async () => {
    const second = await MeshEndpoint.start(certificate);
    closers.add(() => second.takeAway());
    const first = await MeshEndpoint.start(certificate);
    closers.add(() => first.takeAway());
    first.respond = () => ({ rcode: 5, ede: { code: 18 } });
    const system = await startSystemResolver(closers);
    const { ask, shim } = await startShim(closers, { endpoints: [first, second], system });
    const answer = await ask('www.example.org', 'A', EDNS);
    expect([rcodeIn(answer), edeCodesOf(answer)]).toEqual(['REFUSED', [18]]);
    expect([...second.qnames, ...system.qnames]).toEqual([]);
    expect(shim.status().endpoints[0]?.state).toEqual({ up: true });
  });
});

describe('a connection that went silent', () => {
  it('costs the next query less than two seconds, and nothing after it', async () => {
    const at = await world();
    await at.ask('first.example.org');
    at.doh.blackhole();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(answersOf(await at.ask('second.example.org'))[0]).toContain('192.0.2.1');
    expect(answersOf(await at.ask('third.example.org'))[0]).toContain('192.0.2.1');
    expect(at.system.qnames).toEqual([]);
    expect(isUp(at)).toBe(true);
  });

  it('is found out by a PING also while queries come one after the other', async () => {
    const at = await world();
    await at.ask('first.example.org');
    at.doh.blackhole();
    const answers = await Promise.all(['a', 'b', 'c'].map((label) => at.ask(`${label}.example.org`)));
    for (const answer of answers) expect(answersOf(answer)[0]).toContain('192.0.2.1');
  });
});

describe('an endpoint that answers, but not as it should', () => {
  it.each([
    [401, 'unauthorised'],
    [403, 'unauthorised'],
    [404, 'not-found'],
    [429, 'overloaded'],
    [503, 'overloaded'],
  ])('with %i counts as %s at once, is told once, and comes back', async (status, reason) => {
    const at = await world();
    at.doh.status = status;
    await expectPolicy(at);
    expect(at.shim.status().endpoints[0]?.state).toMatchObject({ up: false, reason });
    expect(at.lines.filter((line) => line.startsWith('warn endpoint'))).toHaveLength(1);
    expect(at.shim.metrics.text([])).toContain('source="table"');
    at.doh.status = 200;
    await eventually(() => isUp(at), 10_000);
  });

  it('with 500 has each query answered by policy, and counts as down when it goes on', async () => {
    const at = await world();
    at.doh.status = 500;
    await expectPolicy(at);
    expect(at.shim.status().endpoints[0]?.state).toMatchObject({ up: false, reason: 'failing' });
    at.doh.status = 200;
    await eventually(() => isUp(at), 10_000);
  });

  it('because it cannot read its registry counts as down, and its public answers are not missed', async () => {
    const at = await world();
    at.doh.respond = () => ({ rcode: 2, ede: { code: 14 } });
    await expectPolicy(at);
    expect(at.shim.status().endpoints[0]?.state).toMatchObject({ up: false, reason: 'not-ready' });
  });

  it('with a SERVFAIL of its own is believed', async () => {
    const at = await world();
    at.doh.respond = () => ({ rcode: 2 });
    expect(rcodeIn(await at.ask('bogus.example.org'))).toBe('SERVFAIL');
    expect(at.system.qnames).toEqual([]);
    expect(isUp(at)).toBe(true);
  });

  it('because its certificate has ended is not asked', async () => {
    const at = await world();
    await at.doh.takeAway();
    await at.doh.bringBack(createCertificate(['127.0.0.1'], { expired: true }));
    await expectPolicy(at);
    expect(at.shim.status().endpoints[0]?.state).toMatchObject({ up: false, reason: 'unreachable' });
  });

  it('too slowly loses to what is known, without losing its connection', async () => {
    const at = await world();
    at.doh.respond = ({ question }) => (question?.qname.startsWith('fast') ? { answers: [] } : 'hang');
    const slow = Promise.all([at.ask('one.internal'), at.ask('slow.example.org')]);
    for (let n = 0; n < 4; n++) {
      await at.ask(`fast-${n}.example.org`);
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    const [mesh, other] = await slow;
    expect(answersOf(mesh)).toEqual([`one.internal 30 A ${VIP}`]);
    expect(answersOf(other)[0]).toContain(SYSTEM);
    expect(isUp(at)).toBe(true);
  });
});

describe('routes', () => {
  it('lead to the host’s own resolvers by default for clouds and search domains, and by settings elsewhere', async () => {
    const other = await startSystemResolver(closers);
    const conf = `route = corp.example=udp://127.0.0.1:${other.at.port}\nroute = lab.example=system`;
    const at = await world({ conf, search: ['office.example'] });
    const names = ['a.ec2.internal', 'b.compute.internal', 'c.office.example', 'd.lab.example', 'e.corp.example'];
    for (const qname of [...names, 'f.example', 'g.internal']) await at.ask(qname);
    expect(at.system.qnames).toEqual(names.slice(0, 4));
    expect(other.qnames).toEqual(['e.corp.example']);
    expect(at.doh.qnames).toEqual(['f.example', 'g.internal']);
  });

  it('leave the mesh’s own names to it, also when everything else goes to the system', async () => {
    const at = await world({ conf: 'route = .=system' });
    for (const qname of ['one.internal', 'two.internal', 'www.example.org']) await at.ask(qname);
    expect(at.doh.qnames).toEqual(['one.internal', 'two.internal']);
    expect(at.system.qnames).toEqual(['www.example.org']);
  });

  it('to the endpoint, by name, close when it is away', async () => {
    const at = await world({ conf: 'route = private.example=doh\nroute = .=system' });
    await at.doh.takeAway();
    expect(rcodeIn(await at.ask('a.private.example'))).toBe('SERVFAIL');
    expect(at.system.qnames).toEqual([]);
  });

  it('are asked over TCP where UDP says so, with ids that nobody can foresee', async () => {
    const at = await world({ conf: 'route = .=system' });
    at.system.respond = ({ question }) => ({
      answers: Array.from({ length: 60 }, (_, n) => ({
        owner: question?.qname ?? name('.'),
        ttl: 60,
        type: 'TXT' as const,
        text: [`${n}`.padEnd(100, 'x')],
      })),
    });
    const answer = await at.askTcp('long.example.org', 'TXT');
    expect(answersOf(answer)).toHaveLength(60);
    expect(at.system.queries).toHaveLength(2);
    for (let n = 0; n < 6; n++) await at.ask(`n${n}.example.org`, 'TXT');
    expect(new Set(at.system.queries.map(({ id }) => id)).size).toBeGreaterThan(4);
    expect(at.system.queries.every(({ edns }) => edns?.padded !== true)).toBe(true);
  });
});
