import { describe, expect, it } from 'vitest';
import { CredentialLookup } from '../../src/http/credential-lookup.ts';

const CACHE_MS = 5_000;
const STALE_MS = 3_600_000;

/** A store that tests break, and a clock that they move. */
function openLookup(registryCacheMs = CACHE_MS) {
  const clock = { now: 1_000_000 };
  const stored = new Map<string, { readonly name: string }>([['a', { name: 'Ann' }]]);
  const store = { reads: 0, broken: false, gate: undefined as Promise<void> | undefined };
  const lookup = new CredentialLookup(
    async (key) => {
      store.reads++;
      await store.gate;
      if (store.broken) throw new Error('out of reach');
      return stored.get(key);
    },
    { registryCacheMs, staleMaxMs: STALE_MS, now: () => clock.now },
  );
  return { clock, stored, store, lookup };
}

const ANN = { state: 'known', value: { name: 'Ann' } };
const ABSENT = { state: 'absent' };
const UNAVAILABLE = { state: 'unavailable' };

describe('a credential', () => {
  it.each([
    ['a', ANN],
    ['b', ABSENT],
  ])('%s that has been read is there at once, for a while', async (key, looked) => {
    const { clock, store, lookup } = openLookup();
    expect(await lookup.find(key)).toEqual(looked);
    clock.now += CACHE_MS - 1;
    expect(lookup.find(key)).toEqual(looked);
    expect(store.reads).toBe(1);
    clock.now += 1;
    expect(lookup.find(key)).toBeInstanceOf(Promise);
    expect(store.reads).toBe(2);
  });

  it('that is revoked is nobody’s after that while', async () => {
    const { clock, stored, lookup } = openLookup();
    await lookup.find('a');
    stored.delete('a');
    expect(lookup.find('a')).toEqual(ANN);
    clock.now += CACHE_MS;
    expect(await lookup.find('a')).toEqual(ABSENT);
  });

  it('that this process has changed is read again at once', async () => {
    const { stored, lookup } = openLookup();
    await lookup.find('a');
    await lookup.find('b');
    stored.delete('a');
    stored.set('b', { name: 'Bob' });
    lookup.forget('a');
    lookup.forget('b');
    expect(await lookup.find('a')).toEqual(ABSENT);
    expect(await lookup.find('b')).toEqual({ state: 'known', value: { name: 'Bob' } });
  });

  it('that is changed while it is being read is not kept as it was', async () => {
    const { stored, store, lookup } = openLookup();
    let open: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = lookup.find('a');
    lookup.forget('a');
    open();
    await before;
    stored.delete('a');
    expect(await lookup.find('a')).toEqual(ABSENT);
  });

  it('is read once for all who ask at the same time', async () => {
    const { store, lookup } = openLookup(0);
    const looked = await Promise.all(Array.from({ length: 20 }, () => lookup.find('a')));
    expect(new Set(looked)).toEqual(new Set([ANN]));
    expect(store.reads).toBe(1);
  });

  it('is good for a bounded time while the store cannot be read, without waiting for it each time', async () => {
    const { clock, store, lookup } = openLookup();
    await lookup.find('a');
    store.broken = true;
    clock.now += CACHE_MS;
    expect(await lookup.find('a')).toEqual(ANN);
    expect(store.reads).toBe(2);
    expect(lookup.find('a')).toEqual(ANN);
    expect(store.reads).toBe(2);
    clock.now += STALE_MS - CACHE_MS - 1;
    expect(await lookup.find('a')).toEqual(ANN);
    clock.now += 1;
    expect(await lookup.find('a')).toEqual(UNAVAILABLE);
  });

  it('that is not known is neither somebody’s nor nobody’s while the store cannot be read, nor afterwards', async () => {
    const { clock, store, lookup } = openLookup();
    expect(await lookup.find('b')).toEqual(ABSENT);
    store.broken = true;
    clock.now += CACHE_MS;
    expect(await lookup.find('a')).toEqual(UNAVAILABLE);
    expect(await lookup.find('b')).toEqual(UNAVAILABLE);
    store.broken = false;
    expect(await lookup.find('a')).toEqual(ANN);
    expect(await lookup.find('b')).toEqual(ABSENT);
  });

  it('of somebody is not driven out by any number of nobody’s', async () => {
    const { store, lookup } = openLookup();
    await lookup.find('a');
    for (let at = 0; at < 12_000; at++) await lookup.find(`guess ${at}`);
    const { reads } = store;
    expect(lookup.find('a')).toEqual(ANN);
    expect(store.reads).toBe(reads);
  });

  it('is not looked up while a flood of others is', async () => {
    const { store, lookup } = openLookup();
    let open: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const flood = Array.from({ length: 600 }, (_, at) => lookup.find(`guess ${at}`));
    expect(store.reads).toBe(500);
    expect(flood.at(-1)).toEqual(UNAVAILABLE);
    open();
    await Promise.all(flood);
    expect(await lookup.find('a')).toEqual(ANN);
  });
});
