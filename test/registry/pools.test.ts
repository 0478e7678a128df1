import { describe, expect, it } from 'vitest';
import { embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import { activatePool, ensureTable, readPools } from '../../src/registry/dynamodb-open.ts';
import { createPool } from '../../src/vip/pool.ts';
import { deadline, TABLE } from '../support/registry.ts';

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
