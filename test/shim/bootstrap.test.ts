import { afterEach, describe, expect, it } from 'vitest';
import { Bootstrap } from '../../src/shim/bootstrap.ts';
import { SystemResolvers } from '../../src/shim/system-resolvers.ts';
import { name } from '../support/dns.ts';
import { Closers, eventually, startSystemResolver } from '../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

async function world(kept: Record<string, readonly string[]> = {}) {
  const resolver = await startSystemResolver(closers);
  resolver.respond = ({ question }) => ({
    answers: question?.qtype === 1 ? [{ owner: name('doh.example'), ttl: 60, type: 'A', address: '203.0.113.7' }] : [],
  });
  const system = new SystemResolvers(async () => ({ servers: [resolver.at], search: [] }));
  closers.add(() => system.close());
  const written: object[] = [];
  const book = { read: async () => kept, write: async (addresses: object) => void written.push(addresses) };
  const clock = { now: 1_000_000 };
  const bootstrap = (addresses: readonly string[] = []) =>
    new Bootstrap({ addresses, system, book, now: () => clock.now });
  return { resolver, written, clock, bootstrap };
}

describe('the addresses of an endpoint', () => {
  it('are those of the settings, and nobody is asked', async () => {
    const { resolver, bootstrap } = await world();
    expect(await bootstrap(['192.0.2.9']).addressesOf('doh.example')).toEqual(['192.0.2.9']);
    expect(await bootstrap().addressesOf('192.0.2.8')).toEqual(['192.0.2.8']);
    expect(resolver.qnames).toEqual([]);
  });

  it('are asked of the host’s own resolvers, and kept for the next boot', async () => {
    const { bootstrap, written } = await world();
    expect(await bootstrap().addressesOf('doh.example')).toEqual(['203.0.113.7']);
    expect(written).toEqual([{ 'doh.example': ['203.0.113.7'] }]);
  });

  it('are at hand after a boot, and renewed behind the first query', async () => {
    const { bootstrap, written } = await world({ 'doh.example': ['203.0.113.1'] });
    expect(await bootstrap().addressesOf('doh.example')).toEqual(['203.0.113.1']);
    await eventually(() => written.length === 1, 2_000);
  });

  it('are asked for again once nobody was reached at them, and believed all the same when nobody knows better', async () => {
    const { bootstrap, resolver } = await world({ 'doh.example': ['203.0.113.1'] });
    const one = bootstrap();
    one.doubt('doh.example');
    expect(await one.addressesOf('doh.example')).toEqual(['203.0.113.7']);
    resolver.respond = () => ({ rcode: 2 });
    one.doubt('doh.example');
    expect(await one.addressesOf('doh.example')).toEqual(['203.0.113.7']);
  });

  it('are an error that says where was looked, if there are none', async () => {
    const { bootstrap, resolver } = await world();
    resolver.respond = () => ({ rcode: 3 });
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    bootstrap().lookup('doh.example', { all: true }, (error) => resolve(error));
    expect((await promise)?.message).toContain('--bootstrap');
  });
});
