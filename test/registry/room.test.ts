import { randomBytes } from 'node:crypto';
import {
  type DynamoDBClient,
  PutItemCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { marshalKey } from '../../src/registry/dynamodb-update.ts';
import { createDynamoDbWriter } from '../../src/registry/dynamodb-writer.ts';
import { RegistryUnavailableError } from '../../src/registry/errors.ts';
import { CHANGES, counterItem, SUFFIXES } from '../../src/registry/keys.ts';
import { mayBeRegistered, suffixMembers } from '../../src/registry/suffixes.ts';
import { deadline, openTestRegistry, serviceEntry, TABLE, TOMBSTONE_MS } from '../support/registry.ts';
import { auto, many } from './small-world.ts';
import { expectSound } from './sound-table.ts';

/** What does not get smaller by compression. */
const noise = (octets: number): string => randomBytes(octets / 2).toString('hex');

const heavy = (hosts: number, octets: number) => {
  const entry = many(hosts, { resolution: 'NONE' });
  return { ...entry, metadata: { ...entry.metadata, annotations: { noise: noise(octets) } } };
};

const claimed = (host: string, exportTo: readonly string[] = []) => ({ host, namespace: 'team-a', exportTo });

const refusal = { kind: 'rejected', reason: 'TooLarge' };

describe('the suffix set', () => {
  it('refuses a new suffix, with its figures, when it is full; hosts below known ones go on', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('known'));
    const members = Array.from({ length: 49_999 }, (_, index) => String(index));
    const [first = ''] = members;
    const ours = suffixMembers(claimed('known.internal')).map(String);
    const known = { members: { NS: [...members, ...ours] }, retiring: { NS: [first] } };
    await registry.client.send(new PutItemCommand({ TableName: TABLE, Item: { ...marshalKey(SUFFIXES), ...known } }));
    const outcome = await registry.apply(auto('other', 'a.example.com'));
    expect(outcome).toMatchObject(refusal);
    expect(outcome).toMatchObject({ message: expect.stringContaining('knows 50001; at most 50000 fit') });
    expect(await registry.entries.get('default', 'other', deadline())).toBeUndefined();
    expect((await registry.apply(auto('second', 'b.known.internal'))).kind).toBe('created');
  });
});

describe('the suffixes of a host', () => {
  it.each([
    ['a.b.example.com', 'x.example.com', 1],
    ['*.b.example.com', 'x.example.com', 2],
    ['example.com', 'x.example.com', 1],
    ['a.internal', 'b.internal', 1],
    ['a.ns.svc.cluster.local', 'printer.local', 1],
    ['plotter', 'plotter', 1],
  ])('%s: %s may be registered then', (host, other, count) => {
    const members = new Set(suffixMembers(claimed(host)));
    expect(members.size).toBe(count);
    expect([host, other].map((name) => mayBeRegistered(members, name, 'default'))).toEqual([true, true]);
    expect(mayBeRegistered(members, 'www.example.org', 'default')).toBe(false);
  });

  it.each([
    [['.'], { 'team-a': true, 'team-b': false, default: false }],
    [['.', 'team-b'], { 'team-a': true, 'team-b': true, default: false }],
    [['default', '*'], { 'team-a': true, 'team-b': true, default: true }],
    [['~'], { 'team-a': false, 'team-b': false, default: false }],
  ])('exported to %j are known to those only', (exportTo, known) => {
    const members = new Set(suffixMembers(claimed('*.b.example.com', exportTo)));
    for (const [namespace, expected] of Object.entries(known)) {
      const names = ['*.b.example.com', 'x.example.com'];
      expect(names.map((name) => mayBeRegistered(members, name, namespace))).toEqual([expected, expected]);
    }
  });
});

describe('an entry', () => {
  it('that does not fit into its item is refused, with its figures', async () => {
    const registry = await openTestRegistry();
    const outcome = await registry.apply(heavy(1, 900_000));
    expect(outcome).toMatchObject(refusal);
    expect(outcome).toMatchObject({ message: expect.stringMatching(/would need \d{6} octets, .* at most 389120 fit/) });
  });

  it('that does not fit beside the version it replaces is refused, and that one stays in force', async () => {
    const registry = await openTestRegistry();
    expect((await registry.apply(heavy(2, 500_000))).kind).toBe('created');
    expect(await registry.apply(heavy(130, 500_000))).toMatchObject(refusal);
    expect((await registry.entries.get('default', 'many', deadline()))?.spec.hosts).toHaveLength(2);
    const image = await expectSound(registry);
    expect(image.entries.get('default/many')?.pending).toBeUndefined();
    expect((await registry.apply(heavy(2, 600_000))).kind).toBe('configured');
  });

  it('whose hosts are larger than one transaction carries is written in several', { timeout: 60_000 }, async () => {
    const registry = await openTestRegistry();
    const endpoints = Array.from({ length: 4096 }, (_, i) => ({
      address: `2001:db8:abcd:1234:5678::${i.toString(16)}`,
    }));
    const wide = many(34, { resolution: 'STATIC', endpoints, addresses: ['192.0.2.1'] });
    expect((await registry.apply(wide)).kind).toBe('created');
    await expectSound(registry);
    expect((await registry.remove('many')).kind).toBe('deleted');
  });
});

describe('change counters', () => {
  it('are read in one Query for half a read unit, which is 4 KB', () => {
    const keys = new Set(Array.from({ length: 5000 }, (_, index) => counterItem('n', `e${index}`).sk));
    const octets = 'pk'.length + CHANGES.length + 'sk'.length + 3 + 'commits'.length + '9'.repeat(12).length / 2 + 1;
    expect(keys.size).toBe(128);
    expect(keys.size * octets).toBeLessThanOrEqual(4096);
  });
});

describe('a condition that fails on what was read', () => {
  it('costs a pause each time, and not a busy loop', async () => {
    const registry = await openTestRegistry();
    const abort = new AbortController();
    let [transactions, pauses] = [0, 0];
    const send: typeof registry.client.send = (command: never, options: never) => {
      if (!((command as unknown) instanceof TransactWriteItemsCommand)) return registry.client.send(command, options);
      transactions++;
      const CancellationReasons = [{ Code: 'ConditionalCheckFailed' }];
      throw new TransactionCanceledException({ $metadata: {}, message: 'no', CancellationReasons });
    };
    const writer = createDynamoDbWriter(
      { client: { send } as unknown as DynamoDBClient, table: TABLE },
      {
        pool: registry.pool,
        draining: [],
        tombstoneMs: TOMBSTONE_MS,
        sleep: async () => {
          if (++pauses === 5) abort.abort();
        },
      },
    );
    const applied = writer.apply(serviceEntry('one', { hosts: ['a.internal'] }), {}, abort.signal);
    await expect(applied).rejects.toThrow(RegistryUnavailableError);
    expect([transactions, pauses]).toEqual([5, 5]);
  });
});
