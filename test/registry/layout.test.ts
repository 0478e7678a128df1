import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { openRegistry } from '../../src/registry/dynamodb-open.ts';
import { marshalKey } from '../../src/registry/dynamodb-update.ts';
import { SUFFIXES } from '../../src/registry/keys.ts';
import { suffixMembers } from '../../src/registry/suffixes.ts';
import { DEFAULT_VIEW, deadline, openTestRegistry, TABLE, type TestRegistry } from '../support/registry.ts';
import { auto } from './small-world.ts';

const membersOf = (host: string) => suffixMembers({ host, namespace: 'default', exportTo: [] });

/** The suffix set as a build left it that had another rule of what a suffix is. */
const leave = (registry: TestRegistry, layout: number | undefined, members: readonly number[]) =>
  registry.client.send(
    new PutItemCommand({
      TableName: TABLE,
      Item: {
        ...marshalKey(SUFFIXES),
        members: { NS: members.map(String) },
        ...(layout === undefined ? {} : { layout: { N: String(layout) } }),
      },
    }),
  );

const open = ({ client, pool }: TestRegistry) => openRegistry({ client, table: TABLE }, pool, deadline());

/** Readers that count their calls. */
function countingReader(registry: TestRegistry) {
  let calls = 0;
  const reader = registry.anotherReader({
    before: async () => {
      calls++;
      return undefined;
    },
  });
  const has = async (host: string) => {
    calls = 0;
    const found = await reader.find({ hosts: [host] }, DEFAULT_VIEW, deadline());
    return { isFound: found.state === 'known' && found.hosts.has(host), calls };
  };
  return { has };
}

describe('a table whose suffixes are of another layout', () => {
  it.each([undefined, 1, 99])('%s hides no host from readers: every name costs a read', async (layout) => {
    const registry = await openTestRegistry();
    await registry.apply(auto('a'));
    await leave(registry, layout, membersOf('another.example'));
    const { has } = countingReader(registry);
    expect(await has('a.internal')).toEqual({ isFound: true, calls: 2 });
    expect(await has('www.example.org')).toEqual({ isFound: false, calls: 2 });
  });

  it.each([undefined, 1])('%s is mended by whoever opens it for writing, with what it has', async (layout) => {
    const registry = await openTestRegistry();
    await registry.apply(auto('a'));
    const older = membersOf('another.example');
    await leave(registry, layout, older);
    await open(registry);
    const { has } = countingReader(registry);
    expect(await has('a.internal')).toEqual({ isFound: true, calls: 2 });
    expect(await has('x.another.example')).toMatchObject({ calls: 2 });
    expect(await has('www.example.org')).toEqual({ isFound: false, calls: 1 });
  });

  it('of a newer build is not written to, and the remedy is told', async () => {
    const registry = await openTestRegistry();
    await leave(registry, 99, membersOf('a.internal'));
    await expect(open(registry)).rejects.toThrow(/layout 99.*this one writes \d+: update it/);
  });

  it('is mended by two processes at once', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('a'));
    await leave(registry, undefined, membersOf('another.example'));
    await Promise.all([open(registry), open(registry)]);
    expect(await countingReader(registry).has('www.example.org')).toMatchObject({ calls: 1 });
  });
});

describe('a new table', () => {
  it('is of the layout of whoever opens it first: names that nobody registered cost one read', async () => {
    const registry = await openTestRegistry();
    expect(await countingReader(registry).has('www.example.org')).toEqual({ isFound: false, calls: 1 });
  });
});
