import { afterEach, describe, expect, it } from 'vitest';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import type { Call, Fault } from '../../src/embedded/faults.ts';
import { type CachingReader, createDynamoDbReader } from '../../src/registry/dynamodb-reader.ts';
import { DEFAULT_VIEW, openTestRegistry, serviceEntry, TABLE, type TestRegistry } from '../support/registry.ts';

const registryCacheMs = 5_000;
const OUTSIDER = { ...DEFAULT_VIEW, namespace: 'elsewhere' };

/** A reader whose calls are recorded, and meet what `fault` says. */
interface Watched {
  readonly registry: TestRegistry;
  readonly reader: CachingReader;
  readonly calls: Call[];
  /** How often the reader told that something was committed. */
  readonly moves: () => number;
  fault: (call: Call) => Fault | undefined | Promise<Fault | undefined>;
  /** How a host is found now: its address, or why not. */
  find(host: string, signal?: AbortSignal): Promise<string>;
}

let open: TestRegistry | undefined;
afterEach(() => open?.db.close());

async function watched(hosts: readonly string[] = [], budgetMs = 1200): Promise<Watched> {
  const registry = await openTestRegistry();
  open = registry;
  for (const [index, host] of hosts.entries()) {
    await registry.apply(serviceEntry(`e${index}`, { hosts: [host], addresses: ['192.0.2.1'], resolution: 'NONE' }));
  }
  const calls: Call[] = [];
  const before = (call: Call) => {
    calls.push(call);
    return watch.fault(call);
  };
  const client = embeddedClient(registry.db, { faults: { before }, maxAttempts: 1 });
  let moves = 0;
  const moved = () => {
    moves++;
  };
  const options = { registryCacheMs, staleMaxMs: 3_600_000, budgetMs, moved, now: () => registry.clock.now };
  const reader = createDynamoDbReader({ client, table: TABLE }, options);
  const watch: Watched = {
    registry,
    reader,
    calls,
    moves: () => moves,
    fault: () => undefined,
    async find(host, signal = AbortSignal.timeout(5_000)) {
      const found = await reader.find({ hosts: [host] }, DEFAULT_VIEW, signal);
      if (found.state === 'unavailable') return 'unavailable';
      return `${found.hosts.get(host)?.addresses[0] ?? 'absent'}${found.stale ? ', stale' : ''}`;
    },
  };
  return watch;
}

interface BatchInput {
  readonly RequestItems: Record<string, { readonly Keys: readonly unknown[] }>;
}

/** How many items each read of items asked for; looks at the change counters are none. */
const keysRead = (calls: readonly Call[]): number[] =>
  calls
    .filter(({ operation }) => operation === 'BatchGetItem')
    .map(({ input }) => (input as unknown as BatchInput).RequestItems[TABLE]?.Keys.length ?? 0);

const looks = (calls: readonly Call[]): number => calls.filter(({ operation }) => operation === 'Query').length;

describe('a host that is exported to its own namespace', () => {
  const shop = (exportTo: string[]) => serviceEntry('shop', { hosts: ['shop.example.com'], exportTo });

  it('costs another namespace what one costs that nobody has registered', async () => {
    const { registry, reader, calls } = await watched();
    await registry.apply(shop(['.']));
    for (const host of ['shop.example.com', 'shop.example.org']) {
      const found = await reader.find({ hosts: [host] }, OUTSIDER, AbortSignal.timeout(5_000));
      expect(found).toMatchObject({ state: 'known', hosts: new Map() });
    }
    expect(keysRead(calls)).toEqual([1]);
  });

  it('is found by the others once it is exported to them', async () => {
    const { registry } = await watched();
    await registry.apply(shop(['.']));
    for (const exportTo of [['.', 'elsewhere'], ['*']]) {
      await registry.apply(shop(exportTo));
      const reader = registry.anotherReader({});
      const found = await reader.find({ hosts: ['shop.example.com'] }, OUTSIDER, AbortSignal.timeout(5_000));
      expect(found.state === 'known' && [...found.hosts.keys()]).toEqual(['shop.example.com']);
    }
  });
});

describe('PTR of an address', () => {
  it('costs and says the same for a VIP whose host the view may not see, one that is released, and one of nobody', async () => {
    const { registry, reader, calls } = await watched();
    await registry.apply(serviceEntry('hidden', { hosts: ['hidden.internal'], exportTo: ['.'] }));
    await registry.apply(serviceEntry('gone', { hosts: ['gone.internal'] }));
    const [hidden, released] = [await registry.vipOf('hidden.internal'), await registry.vipOf('gone.internal')];
    await registry.remove('gone');
    await reader.vipPrefixes(AbortSignal.timeout(5_000));
    const costs = [];
    for (const address of [hidden ?? '', released ?? '', '240.240.99.99']) {
      calls.length = 0;
      const holder = await reader.holderOf(address, OUTSIDER, AbortSignal.timeout(5_000));
      costs.push({ holder, keys: keysRead(calls) });
    }
    expect(costs).toEqual(Array.from({ length: 3 }, () => ({ holder: { state: 'free', stale: false }, keys: [1, 1] })));
  });
});

describe('queries at the same time', () => {
  it('for one name share one read', async () => {
    const { find, calls } = await watched(['one.internal']);
    const found = await Promise.all(Array.from({ length: 500 }, () => find('one.internal')));
    expect(new Set(found)).toEqual(new Set(['192.0.2.1']));
    expect(keysRead(calls)).toEqual([1, 1]);
    expect(looks(calls)).toBe(1);
  });

  it('for many names share a few reads of many', async () => {
    const hosts = ['one.internal', 'two.internal', 'three.internal'];
    const { find, calls, reader } = await watched(hosts);
    await find('one.internal');
    calls.length = 0;
    const asked = Array.from({ length: 1_000 }, (_, index) => `n${index}.one.internal`);
    const finds = asked.map((below) =>
      reader.find({ hosts: ['two.internal'], below }, DEFAULT_VIEW, AbortSignal.timeout(5_000)),
    );
    expect((await Promise.all(finds)).every(({ state }) => state === 'known')).toBe(true);
    expect(keysRead(calls).reduce((sum, keys) => sum + keys, 0)).toBe(1_001);
    expect(calls.length).toBeLessThanOrEqual(26);
  });

  it('that give up leave the read to those that wait', async () => {
    const watch = await watched(['one.internal']);
    await watch.find('one.internal');
    watch.registry.clock.now += registryCacheMs;
    const { promise: gate, resolve: release } = Promise.withResolvers<undefined>();
    watch.fault = () => gate;
    const giving = new AbortController();
    const [gaveUp, waiting] = [watch.find('one.internal', giving.signal), watch.find('one.internal')];
    giving.abort();
    expect(await gaveUp).toBe('192.0.2.1, stale');
    release(undefined);
    expect(await waiting).toBe('192.0.2.1');
  });

  it('a commit during a read is seen by the next query', async () => {
    const watch = await watched(['one.internal']);
    const { promise: gate, resolve: release } = Promise.withResolvers<undefined>();
    const { promise: answered, resolve: wasAnswered } = Promise.withResolvers<void>();
    let reads = 0;
    const client = embeddedClient(watch.registry.db, {
      faults: {
        async after({ operation }) {
          if (operation === 'BatchGetItem' && ++reads === 2) {
            wasAnswered();
            await gate;
          }
          return undefined;
        },
      },
    });
    const now = () => watch.registry.clock.now;
    const reader = createDynamoDbReader({ client, table: TABLE }, { registryCacheMs, staleMaxMs: 3_600_000, now });
    const find = () => reader.find({ hosts: ['one.internal'] }, DEFAULT_VIEW, AbortSignal.timeout(5_000));
    const early = find();
    await answered;
    await watch.registry.remove('e0');
    reader.expire(['one.internal']);
    release(undefined);
    expect(await early).toMatchObject({ state: 'known', hosts: new Map([['one.internal', expect.anything()]]) });
    expect(await find()).toMatchObject({ state: 'known', hosts: new Map() });
  });
});

describe('a table that cannot be read', () => {
  const dead = (): Fault => ({ kind: 'timeout' });

  it('costs a bounded number of reads, however many queries come, and what is known answers at once', async () => {
    const watch = await watched(['one.internal'], 100);
    await watch.find('one.internal');
    watch.registry.clock.now += registryCacheMs;
    watch.calls.length = 0;
    watch.fault = dead;
    const first = await Promise.all(Array.from({ length: 2_000 }, () => watch.find('one.internal')));
    expect(new Set(first)).toEqual(new Set(['192.0.2.1, stale']));
    await watch.find('one.internal');
    watch.calls.length = 0;
    const never = new AbortController().signal;
    const later = await Promise.all(Array.from({ length: 2_000 }, () => watch.find('one.internal', never)));
    expect(new Set(later)).toEqual(new Set(['192.0.2.1, stale']));
    expect(watch.calls).toEqual([]);
  });

  it('names that nobody has asked for yet fail after one read each way, not one each', async () => {
    const watch = await watched(['one.internal'], 100);
    await watch.find('one.internal');
    watch.fault = dead;
    watch.calls.length = 0;
    const finds = Array.from({ length: 2_000 }, (_, index) =>
      watch.reader.find({ hosts: [], below: `n${index}.internal` }, DEFAULT_VIEW, AbortSignal.timeout(5_000)),
    );
    expect(new Set((await Promise.all(finds)).map(({ state }) => state))).toEqual(new Set(['unavailable']));
    expect(watch.calls.length).toBeLessThanOrEqual(16);
  });

  it('is tried again by one query at a time, while the others are answered, and is back as soon as one succeeds', async () => {
    const watch = await watched(['one.internal'], 100);
    await watch.find('one.internal');
    watch.registry.clock.now += registryCacheMs;
    watch.fault = () => ({ kind: 'internalError' });
    await watch.find('one.internal');
    await watch.find('one.internal');
    watch.calls.length = 0;
    const { promise: gate, resolve: release } = Promise.withResolvers<undefined>();
    watch.fault = () => gate;
    watch.registry.clock.now += 500;
    const probe = watch.find('one.internal');
    await Promise.resolve();
    await Promise.resolve();
    expect(await watch.find('one.internal')).toBe('192.0.2.1, stale');
    expect(watch.calls.length).toBeLessThanOrEqual(1);
    release(undefined);
    expect(await probe).toBe('192.0.2.1');
    expect(await watch.find('one.internal')).toBe('192.0.2.1');
  });

  it('one read that fails by accident stops no other', async () => {
    const watch = await watched(['one.internal', 'two.internal']);
    await watch.find('one.internal');
    let failures = 1;
    watch.fault = () => (failures-- > 0 ? { kind: 'internalError' } : undefined);
    expect(await watch.find('two.internal')).toBe('unavailable');
    expect(await watch.find('two.internal')).toBe('192.0.2.1');
  });

  it('reading takes its part of the time of a query once, not for each of its reads', async () => {
    const watch = await watched(['one.internal'], 100);
    watch.fault = async () => {
      await new Promise((resolve) => setTimeout(resolve, 70));
      return undefined;
    };
    expect(await watch.find('one.internal')).toBe('unavailable');
  });

  it('the pools that were known stay known, and are asked for by one query at a time', async () => {
    const watch = await watched([], 100);
    const prefixes = () => watch.reader.vipPrefixes(AbortSignal.timeout(5_000));
    const known = await prefixes();
    expect(known).toEqual({ state: 'known', prefixes: ['240.240.0.0/16', '2001:2::/48'] });
    watch.registry.clock.now += 7 * 24 * 3_600_000;
    watch.fault = dead;
    watch.calls.length = 0;
    const later = await Promise.all(Array.from({ length: 100 }, prefixes));
    expect(new Set(later.map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(known)]));
    expect(watch.calls.length).toBe(1);
  });
});

describe('a look at the change counters', () => {
  const HOSTS = ['one.internal', 'two.internal'];

  /** All hosts have been read once after nothing had been committed for a while. */
  async function settled(): Promise<Watched> {
    const watch = await watched(HOSTS);
    for (let round = 0; round < 2; round++) {
      for (const host of HOSTS) await watch.find(host);
      watch.registry.clock.now += registryCacheMs;
    }
    watch.calls.length = 0;
    return watch;
  }

  it('keeps every name current of which it shows that nothing was committed', async () => {
    const watch = await settled();
    for (const host of HOSTS) expect(await watch.find(host)).toBe('192.0.2.1');
    expect([keysRead(watch.calls), looks(watch.calls), watch.moves()]).toEqual([[], 1, 0]);
    watch.registry.clock.now += registryCacheMs - 1;
    await watch.find('one.internal');
    expect(looks(watch.calls)).toBe(1);
  });

  it('is shared by all who ask at the same time', async () => {
    const watch = await settled();
    const found = await Promise.all(Array.from({ length: 500 }, (_, n) => watch.find(HOSTS[n % 2] ?? '')));
    expect(new Set(found)).toEqual(new Set(['192.0.2.1']));
    expect([keysRead(watch.calls), looks(watch.calls)]).toEqual([[], 1]);
  });

  it('that finds a commit has each name read again once it is asked for, those asked for together at once', async () => {
    const watch = await settled();
    await watch.registry.remove('e1');
    const found = await Promise.all(HOSTS.map((host) => watch.find(host)));
    expect(found).toEqual(['192.0.2.1', 'absent']);
    expect([keysRead(watch.calls), looks(watch.calls)]).toEqual([[1, 2], 1]);
    expect(watch.moves()).toBe(1);
  });

  it('shows nothing of what was read right after a commit was seen: that read may have missed it', async () => {
    const watch = await settled();
    await watch.registry.remove('e1');
    for (const host of HOSTS) await watch.find(host);
    watch.registry.clock.now += registryCacheMs;
    watch.calls.length = 0;
    await watch.find('one.internal');
    expect(keysRead(watch.calls)).toEqual([1, 1]);
  });

  it('that fails leaves names to be read one by one', async () => {
    const watch = await settled();
    watch.fault = ({ operation }) => (operation === 'Query' ? { kind: 'internalError' } : undefined);
    expect(await watch.find('one.internal')).toBe('192.0.2.1');
    expect(keysRead(watch.calls)).toEqual([1, 1]);
  });

  it('that cannot be made leaves what was known, marked stale, for as long as that is allowed', async () => {
    const watch = await settled();
    await watch.find('one.internal');
    watch.fault = () => ({ kind: 'internalError' });
    watch.registry.clock.now += 3_600_000 - 1;
    expect(await watch.find('one.internal')).toBe('192.0.2.1, stale');
    watch.registry.clock.now += 2;
    expect(await watch.find('one.internal')).toBe('unavailable');
  });

  it('is not trusted for ever: what a person changed by hand moves no counter', async () => {
    const watch = await settled();
    for (let minutes = 0; minutes < 10; minutes++) {
      await watch.find('one.internal');
      watch.registry.clock.now += 60_000;
    }
    watch.calls.length = 0;
    await watch.find('one.internal');
    expect(keysRead(watch.calls)).toEqual([1, 1]);
  });
});
