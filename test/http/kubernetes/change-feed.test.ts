import { describe, expect, it } from 'vitest';
import { ChangeFeed, type EntryChange, type Follower } from '../../../src/http/kubernetes/change-feed.ts';
import type { EntryReader } from '../../../src/registry/writer.ts';
import type { ServiceEntry } from '../../../src/serviceentry/service-entry.ts';
import { serviceEntry } from '../../support/registry.ts';

/** A registry that counts how often it is read. */
class Registry {
  readonly state = new Map<string, ServiceEntry>();
  readonly reads = { versions: 0, lists: 0 };
  commits = 0;
  broken = false;
  readonly entries: Pick<EntryReader, 'list' | 'resourceVersion'> = {
    list: async () => {
      this.#mustWork();
      this.reads.lists++;
      return { items: [...this.state.values()], resourceVersion: String(this.commits) };
    },
    resourceVersion: async () => {
      this.#mustWork();
      this.reads.versions++;
      return String(this.commits);
    },
  };

  #mustWork(): void {
    if (this.broken) throw new Error('broken');
  }

  put(name: string, uid = name): string {
    this.commits++;
    const resourceVersion = String(1_700_000_000_000 + this.commits);
    this.state.set(name, serviceEntry(name, { hosts: [`${name}.internal`] }, { uid, resourceVersion }));
    return resourceVersion;
  }

  delete(name: string): void {
    this.commits++;
    this.state.delete(name);
  }
}

const POLL_MS = 10;

function open(): { registry: Registry; feed: ChangeFeed } {
  const registry = new Registry();
  registry.put('a');
  const entries = registry.entries as EntryReader;
  return { registry, feed: new ChangeFeed({ entries, pollMs: POLL_MS, timeoutMs: 1000 }) };
}

async function follow(feed: ChangeFeed, resourceVersion?: string): Promise<Follower> {
  const follower = await feed.follow(resourceVersion);
  if (follower === 'expired') throw new Error('expired');
  return follower;
}

const told = (changes: readonly EntryChange[] | 'expired') =>
  changes === 'expired'
    ? changes
    : changes.map(({ before, after }) => {
        const name = (after ?? before)?.metadata.name;
        return `${before ? (after ? 'modified' : 'deleted') : 'added'} ${name}`;
      });

const next = async (follower: Follower) => told(await follower.next(AbortSignal.timeout(2000)));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the feed of changes', () => {
  it('tells what was added, modified and deleted since it was followed', async () => {
    const { registry, feed } = open();
    const follower = await follow(feed, '1');
    expect(follower.initial).toEqual([]);
    registry.put('b');
    expect(await next(follower)).toEqual(['added b']);
    registry.put('b');
    registry.delete('a');
    expect(await next(follower)).toEqual(['modified b', 'deleted a']);
    expect(follower.version).toBe('4');
    follower.close();
  });

  it('begins with the present state for who names no version', async () => {
    const { feed } = open();
    const follower = await follow(feed);
    expect(follower.initial.map(({ metadata }) => metadata.name)).toEqual(['a']);
    follower.close();
  });

  it('tells an entry that was deleted and made again as both', async () => {
    const { registry, feed } = open();
    const follower = await follow(feed, '1');
    registry.delete('a');
    registry.put('a', 'another');
    expect(await next(follower)).toEqual(['deleted a', 'added a']);
    follower.close();
  });

  it('goes on where a watcher left, as long as that is kept', async () => {
    const { registry, feed } = open();
    (await follow(feed, '1')).close();
    const ofB = registry.put('b');
    registry.put('c');
    const back = await follow(feed, '1');
    expect(await next(back)).toEqual(['added b', 'added c']);
    back.close();
    const fromEntry = await follow(feed, ofB);
    expect(await next(fromEntry)).toEqual(['added c']);
    fromEntry.close();
  });

  it.each(['0', '1', '4', '999', '1700000000001'])('does not know what came after %s', async (version) => {
    const { registry, feed } = open();
    registry.put('b');
    (await follow(feed)).close();
    registry.put('c');
    expect(await feed.follow(version)).toBe('expired');
    expect(feed.followers).toBe(0);
  });

  it('tells a watcher that more has happened than is kept', async () => {
    const { registry, feed } = open();
    const follower = await follow(feed, '1');
    for (let at = 0; at < 1001; at++) registry.put(`n${at}`);
    expect(await next(follower)).toBe('expired');
    follower.close();
  });

  it('costs one small read in each interval, however many watch, and nothing when nobody does', async () => {
    const { registry, feed } = open();
    const followers = await Promise.all(Array.from({ length: 20 }, () => follow(feed, '1')));
    expect(registry.reads.lists).toBe(1);
    const before = registry.reads.versions;
    const started = performance.now();
    await pause(20 * POLL_MS);
    const polls = registry.reads.versions - before;
    expect(polls).toBeGreaterThan(0);
    expect(polls).toBeLessThanOrEqual(Math.ceil((performance.now() - started) / POLL_MS) + 1);
    expect(registry.reads.lists).toBe(1);
    for (const follower of followers) follower.close();
    await pause(3 * POLL_MS);
    const idle = registry.reads.versions;
    await pause(5 * POLL_MS);
    expect(registry.reads.versions).toBe(idle);
  });

  it('ends a wait when its signal does, with nothing', async () => {
    const { feed } = open();
    const follower = await follow(feed, '1');
    expect(told(await follower.next(AbortSignal.timeout(20)))).toEqual([]);
    follower.close();
  });

  it('fails whoever waits when the registry cannot be read, and works again when it can', async () => {
    const { registry, feed } = open();
    const follower = await follow(feed, '1');
    registry.broken = true;
    await expect(next(follower)).rejects.toThrow('broken');
    follower.close();
    await expect(feed.follow('1')).rejects.toThrow('broken');
    expect(feed.followers).toBe(0);
    registry.broken = false;
    (await follow(feed, '1')).close();
  });
});
