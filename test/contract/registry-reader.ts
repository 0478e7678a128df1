import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistryReader } from '../../src/registry/reader.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { View } from '../../src/table/view.ts';
import { DEFAULT_VIEW, deadline, serviceEntry } from '../support/registry.ts';

/** A reader over a registry in which these entries, and no others, were applied in this order. */
export interface OpenedReader {
  readonly reader: RegistryReader;
  /** The addresses (IPv4, IPv6) that a host was given, for the view. */
  vipOf(host: string): Promise<readonly [ipv4: string, ipv6: string]>;
  close(): Promise<void>;
}

export type OpenReader = (entries: readonly ServiceEntry[], view: View) => Promise<OpenedReader>;

const VIEW: View = { ...DEFAULT_VIEW, families: ['ipv4', 'ipv6'] };
const port = (name: string, number: number) => ({ name, number, protocol: 'TCP' });

const ENTRIES: readonly ServiceEntry[] = [
  serviceEntry('auto', { hosts: ['auto.internal', 'www.deep.auto.internal'] }),
  serviceEntry('more-ports', { hosts: ['auto.internal'], ports: [port('tcp', 9000)] }),
  serviceEntry('literal', {
    hosts: ['literal.internal'],
    resolution: 'STATIC',
    addresses: ['198.51.100.1', '2001:db8::1', '203.0.113.0/24'],
  }),
  serviceEntry('nothing', { hosts: ['nothing.internal'], resolution: 'NONE' }),
  serviceEntry('wild', { hosts: ['*.wild.internal'], resolution: 'NONE', addresses: ['198.51.100.2'] }),
  serviceEntry(
    'opted-out',
    {
      hosts: ['static.internal'],
      resolution: 'STATIC',
      endpoints: [{ address: '10.0.0.1' }, { address: '10.0.0.2', weight: 0 }],
    },
    { labels: { 'networking.istio.io/enable-autoallocate-ip': 'false' } },
  ),
  serviceEntry('ttl', { hosts: ['ttl.internal'] }, { annotations: { 'meshdoh.dev/ttl': '7' } }),
  serviceEntry('theirs', { hosts: ['secret.hidden.internal'], exportTo: ['.'] }, { namespace: 'team-a' }),
  serviceEntry('theirs-too', { hosts: ['auto.internal'], exportTo: ['*'] }, { namespace: 'team-a' }),
  serviceEntry('for-us', { hosts: ['shared.internal'], exportTo: ['default'] }, { namespace: 'team-a' }),
  serviceEntry('for-nobody', { hosts: ['nobody.internal'], exportTo: ['~'] }),
];

/** What every reader of the registry answers, whatever it reads from. */
export function describeRegistryReader(name: string, open: OpenReader): void {
  describe(`${name} as registry reader`, () => {
    let opened: OpenedReader;
    let reader: RegistryReader;
    beforeAll(async () => {
      opened = await open(ENTRIES, VIEW);
      reader = opened.reader;
    });
    afterAll(() => opened.close());

    async function find(hosts: readonly string[], below?: string) {
      const found = await reader.find({ hosts, ...(below === undefined ? {} : { below }) }, VIEW, deadline());
      if (found.state !== 'known') throw new Error('the registry cannot be read');
      return found;
    }

    it('finds a host with its virtual IP, and the ports of all its entries', async () => {
      const answer = (await find(['auto.internal'])).hosts.get('auto.internal');
      expect(answer).toMatchObject({ host: 'auto.internal', namespace: 'default', owned: true, vip: true });
      expect(answer?.addresses).toEqual(await opened.vipOf('auto.internal'));
      expect(answer?.ports.map(({ number }) => number)).toEqual([80, 9000]);
    });

    it.each([
      ['literal.internal', { owned: true, vip: false, addresses: ['198.51.100.1', '2001:db8::1'] }],
      ['nothing.internal', { owned: false, vip: false, addresses: [] }],
      ['*.wild.internal', { owned: true, vip: false, addresses: ['198.51.100.2'] }],
      ['static.internal', { owned: true, vip: false, addresses: ['10.0.0.1'] }],
      ['ttl.internal', { owned: true, vip: true, ttl: 7 }],
      ['shared.internal', { owned: true, vip: true, namespace: 'team-a' }],
    ])('finds %s', async (host, answer) => {
      expect((await find([host])).hosts.get(host)).toMatchObject(answer);
    });

    it.each([
      'secret.hidden.internal',
      'nobody.internal',
      'unregistered.internal',
      'a.wild.internal',
      'wild.internal',
      'example.com',
      '.',
    ])('does not find %s', async (host) => {
      expect((await find([host])).hosts.size).toBe(0);
    });

    it('finds several at once, and leaves out those that are not there', async () => {
      const { hosts, stale } = await find(['no.internal', 'auto.internal', '*.internal', 'literal.internal']);
      expect([...hosts.keys()].sort()).toEqual(['auto.internal', 'literal.internal']);
      expect(stale).toBe(false);
    });

    it.each([
      ['auto.internal', true],
      ['deep.auto.internal', true],
      ['www.deep.auto.internal', false],
      ['wild.internal', true],
      ['a.wild.internal', false],
      ['hidden.internal', false],
      ['nothing.internal', false],
      ['other.internal', false],
    ])('tells whether visible hosts exist below %s: %s', async (below, exists) => {
      expect((await find([below], below)).existsBelow).toBe(exists);
    });

    it('knows the prefixes of the virtual IPs', async () => {
      const prefixes = await reader.vipPrefixes(deadline());
      expect(prefixes).toEqual({ state: 'known', prefixes: ['240.240.0.0/16', '2001:2::/48'] });
    });

    it('knows who holds a virtual IP, in both families', async () => {
      const held = { state: 'held', host: 'auto.internal', stale: false };
      for (const address of await opened.vipOf('auto.internal')) {
        expect(await reader.holderOf(address, VIEW, deadline())).toEqual(held);
      }
    });

    it.each(['240.240.0.1', '240.240.9.255', '198.51.100.1', '10.0.0.1', '2001:db8::1', '2001:2::1'])(
      'knows that nobody holds %s',
      async (address) => {
        expect(await reader.holderOf(address, VIEW, deadline())).toEqual({ state: 'free', stale: false });
      },
    );
  });
}
