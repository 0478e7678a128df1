import { describe, expect, it } from 'vitest';
import { embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import { activatePool, ensureTable, readPools } from '../../src/registry/dynamodb-open.ts';
import { createPool, type Pool } from '../../src/vip/pool.ts';
import { deadline, openTestRegistry, serviceEntry, TABLE, type TestRegistry } from '../support/registry.ts';
import { clientKilledBeforeTransaction, stopBeforeTransaction } from './meeting.ts';
import { addressed, auto, TINY_POOL } from './small-world.ts';
import { expectSound } from './sound-table.ts';

async function openTable() {
  const source = { client: embeddedClient(await openEmbeddedDynamoDb()), table: TABLE };
  await ensureTable(source, deadline());
  const activate = (ipv4: string, ipv6 = '2001:2::/48') => activatePool(source, createPool({ ipv4, ipv6 }), deadline());
  const known = async () => {
    const { active, draining } = await readPools(source, deadline());
    return { active: active?.ipv4, draining: draining.map(({ ipv4 }) => ipv4) };
  };
  return { activate, known };
}

describe('activatePool', () => {
  it('adds the pool of a changed setting, and the one before goes on draining', async () => {
    const { activate, known } = await openTable();
    await activate('240.240.0.0/16');
    expect(await activate('240.250.0.0/16', '2001:3::/48')).toMatchObject([{ ipv4: '240.240.0.0/16' }]);
    expect(await known()).toEqual({ active: '240.250.0.0/16', draining: ['240.240.0.0/16'] });
    await activate('240.240.0.0/16');
    expect(await known()).toEqual({ active: '240.240.0.0/16', draining: ['240.250.0.0/16'] });
  });

  it('lets a pool grow where it starts, and never shrink', async () => {
    const { activate, known } = await openTable();
    await activate('240.240.0.0/24');
    await activate('240.240.0.0/23');
    expect(await known()).toEqual({ active: '240.240.0.0/23', draining: [] });
    await expect(activate('240.240.0.0/24')).rejects.toThrow('cuts off a part of 240.240.0.0/23');
    await activate('240.250.0.0/24', '2001:3::/48');
    await expect(activate('240.240.0.0/24')).rejects.toThrow('cuts off a part of 240.240.0.0/23');
  });

  it.each([
    ['in IPv4', '240.240.1.0/24', '2001:3::/48'],
    ['in IPv6', '240.250.0.0/24', '2001:2::/64'],
  ])('refuses a pool that shares addresses with another %s', async (_family, ipv4, ipv6) => {
    const { activate } = await openTable();
    await activate('240.240.0.0/16');
    await expect(activate(ipv4, ipv6)).rejects.toThrow('the setting "pools"');
  });

  it('lets one of two first starts with different settings win, and the other see it', async () => {
    const { activate, known } = await openTable();
    await Promise.all([activate('240.240.0.0/16'), activate('240.250.0.0/16', '2001:3::/48')]);
    const { active, draining } = await known();
    expect(new Set([active, ...draining])).toEqual(new Set(['240.240.0.0/16', '240.250.0.0/16']));
    expect(draining).toHaveLength(1);
  });

  it('ends with the wider of two sizes that are opened at once', async () => {
    const { activate, known } = await openTable();
    await Promise.allSettled([activate('240.240.0.0/24'), activate('240.240.0.0/23')]);
    expect(await known()).toEqual({ active: '240.240.0.0/23', draining: [] });
  });
});

describe('a pool that grows', () => {
  it('is not cut off by a start that had read it before it grew further', async () => {
    const db = await openEmbeddedDynamoDb();
    const source = { client: embeddedClient(db), table: TABLE };
    const sized = (bits: number) => createPool({ ipv4: `240.240.0.0/${bits}`, ipv6: '2001:2::/48' });
    await ensureTable(source, deadline());
    await activatePool(source, sized(25), deadline());
    const { stop, faults } = stopBeforeTransaction();
    const slow = activatePool({ client: embeddedClient(db, { faults }), table: TABLE }, sized(24), deadline());
    const refused = expect(slow).rejects.toThrow('cuts off a part of 240.240.0.0/23');
    await stop.arrived;
    await activatePool(source, sized(23), deadline());
    stop.release();
    await refused;
    expect((await readPools(source, deadline())).active?.ipv4).toBe('240.240.0.0/23');
  });
});

describe('addresses that entries have written before a pool comes', () => {
  const OTHER = createPool({ ipv4: '240.240.9.32/29', ipv6: '2001:2:0:9::/64' });
  const usable = [33, 34, 35, 36, 37, 38].map((octet) => `240.240.9.${octet}`);

  const hex = (digits: string): string => (Number(digits) - 32).toString(16);

  const writerOf = async (registry: TestRegistry, pool: Pool) => {
    const draining = await activatePool({ client: registry.client, table: TABLE }, pool, deadline());
    return registry.anotherWriter(undefined, pool, { draining });
  };

  it.each([
    ['one by one', usable.slice(1)],
    ['as a prefix', ['240.240.9.34/31', ...usable.slice(3)]],
    ['in IPv6', usable.slice(1).map((address) => address.replace('240.240.9.', '2001:2:0:9::').replace(/\d+$/, hex))],
  ])('are set aside (%s)', async (_, addresses) => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(addressed('mine', addresses));
    const writer = await writerOf(registry, OTHER);
    expect((await writer.apply(auto('a'), {}, deadline())).kind).toBe('created');
    expect(await registry.vipOf('a.internal')).toBe(usable[0]);
    expect(await writer.apply(auto('b'), {}, deadline())).toMatchObject({ reason: 'VipPoolExhausted' });
    await expectSound(registry, [OTHER, TINY_POOL]);
  });

  it('are set aside where a pool grows to them', async () => {
    const registry = await openTestRegistry(createPool({ ipv4: '240.240.9.32/29', ipv6: '2001:2:0:9::/64' }));
    const wide = createPool({ ipv4: '240.240.9.32/28', ipv6: '2001:2:0:9::/64' });
    const beyond = [40, 41, 42, 43, 44, 45, 46].map((octet) => `240.240.9.${octet}`);
    await registry.apply(addressed('mine', [...beyond, ...usable.slice(1)]));
    const writer = await writerOf(registry, wide);
    await writer.apply(auto('a'), {}, deadline());
    await writer.apply(auto('b'), {}, deadline());
    const vips = [await registry.vipOf('a.internal'), await registry.vipOf('b.internal')];
    expect(vips.toSorted()).toEqual(['240.240.9.33', '240.240.9.39']);
    await expectSound(registry, [wide]);
  });

  it('are set aside by the next start where the first was killed', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(addressed('mine', usable));
    const { client, died } = clientKilledBeforeTransaction(registry, 2);
    void activatePool({ client, table: TABLE }, OTHER, deadline()).catch(() => undefined);
    await died;
    const writer = await writerOf(registry, OTHER);
    expect(await writer.apply(auto('a'), {}, deadline())).toMatchObject({ reason: 'VipPoolExhausted' });
    await expectSound(registry, [OTHER, TINY_POOL]);
  });

  it('are not set aside by a slow start once the entry has let go of them', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(addressed('mine', usable));
    const { stop, faults } = stopBeforeTransaction(2);
    const client = embeddedClient(registry.db, { faults });
    const slow = activatePool({ client, table: TABLE }, OTHER, deadline());
    await stop.arrived;
    const writer = await writerOf(registry, OTHER);
    await writer.apply(addressed('mine', ['192.0.2.1']), {}, deadline());
    expect((await writer.apply(auto('a'), {}, deadline())).kind).toBe('created');
    stop.release();
    await slow;
    await expectSound(registry, [OTHER, TINY_POOL]);
  });

  it('are not set aside in a pool that they cover for the most part: it is refused, and the entry named', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(
      serviceEntry('wide', { hosts: ['w.internal'], resolution: 'STATIC', addresses: ['240.250.0.0/16'] }),
    );
    const wide = createPool({ ipv4: '240.250.0.0/17', ipv6: '2001:3::/48' });
    await expect(writerOf(registry, wide)).rejects.toThrow(
      'ServiceEntry default/wide writes prefixes that cover 32768 addresses of the setting "pools"',
    );
    expect((await registry.apply(auto('a'))).kind).toBe('created');
  });
});
