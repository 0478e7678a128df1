import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { getCommand } from '../../src/cli/get.ts';
import { type EntryEvent, watchEntries } from '../../src/cli/watch.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { serviceEntry } from '../support/registry.ts';
import { runVerb } from './run-verb.ts';

const entry = (name: string, resourceVersion: string, labels: Record<string, string> = {}): ServiceEntry =>
  serviceEntry(name, { hosts: [`${name}.internal`] }, { resourceVersion, labels });

const event = (type: string, object: unknown): string => JSON.stringify({ type, object });

async function* linesOf(...lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

/** What the events are, until there are `count` of them. */
async function first(count: number, events: AsyncIterable<EntryEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, entry: object } of events) {
    seen.push(`${type} ${object.metadata.name} ${object.metadata.resourceVersion}`);
    if (seen.length === count) break;
  }
  return seen;
}

const ended = new AbortController();

describe('a watch', () => {
  it('begins with what is there, and goes on with what the server tells', async () => {
    const since: string[] = [];
    const events = watchEntries({
      list: async () => ({ items: [entry('a', '1')], resourceVersion: '5' }),
      lines(resourceVersion) {
        since.push(resourceVersion);
        return linesOf(event('MODIFIED', entry('a', '6')), event('DELETED', entry('a', '7')));
      },
      isWanted: () => true,
      signal: ended.signal,
    });
    expect(await first(3, events)).toEqual(['ADDED a 1', 'MODIFIED a 6', 'DELETED a 7']);
    expect(since).toEqual(['5']);
  });

  it('goes on after a bookmark where the server ended it', async () => {
    const since: string[] = [];
    const events = watchEntries({
      list: async () => ({ items: [], resourceVersion: '5' }),
      lines(resourceVersion) {
        since.push(resourceVersion);
        const bookmark = event('BOOKMARK', { metadata: { resourceVersion: '9' } });
        return since.length === 1 ? linesOf(bookmark) : linesOf(event('ADDED', entry('late', '10')));
      },
      isWanted: () => true,
      signal: ended.signal,
    });
    expect(await first(1, events)).toEqual(['ADDED late 10']);
    expect(since).toEqual(['5', '9']);
  });

  it('finds by a list what it missed when the server has forgotten the version', async () => {
    const lists = [
      [entry('kept', '1'), entry('changed', '2'), entry('gone', '3')],
      [entry('kept', '1'), entry('changed', '8'), entry('new', '9')],
    ];
    let listed = 0;
    const events = watchEntries({
      list: async () => ({ items: lists[listed++] ?? [], resourceVersion: String(listed) }),
      lines: () => linesOf(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' })),
      isWanted: () => true,
      signal: ended.signal,
    });
    expect(await first(6, events)).toEqual([
      'ADDED kept 1',
      'ADDED changed 2',
      'ADDED gone 3',
      'DELETED gone 3',
      'MODIFIED changed 8',
      'ADDED new 9',
    ]);
  });

  it.each([
    ['no event', '{"items":[]}', 'answers a watch with something else than events'],
    ['no JSON', '<html>', 'answers a watch with something else than events'],
    ['a refusal', event('ERROR', { kind: 'Status', reason: 'Forbidden', message: 'no' }), 'no'],
  ])('ends with a failure on %s', async (_, line, message) => {
    const events = watchEntries({
      list: async () => ({ items: [], resourceVersion: '1' }),
      lines: () => linesOf(line),
      isWanted: () => true,
      signal: ended.signal,
    });
    await expect(first(1, events)).rejects.toThrow(message);
  });
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that lists one entry and then tells one change, and keeps the line open. */
async function openServer(tell: (response: ServerResponse) => void): Promise<string> {
  const listening = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    if (request.url?.includes('watch=true')) tell(response);
    else
      response.end(
        JSON.stringify({ items: [entry('first', '1', { app: 'web' })], metadata: { resourceVersion: '1' } }),
      );
  });
  server = listening;
  const { promise, resolve } = Promise.withResolvers<void>();
  listening.listen(0, '127.0.0.1', resolve);
  await promise;
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

describe('get --watch', () => {
  it('prints a line for each change as it comes, in the columns of those before, until it is ended', async () => {
    const url = await openServer((response) => {
      response.write(`${event('ADDED', entry('second-with-a-long-name', '2', { app: 'web' }))}\n`);
      response.write(`${event('ADDED', entry('unselected', '3'))}\n`);
      response.write(`${event('MODIFIED', entry('first', '4', { app: 'web' }))}\n`);
    });
    const end = new AbortController();
    const { stdout, exitCode } = await runVerb(getCommand, ['se', '-w', '-l', 'app=web'], {
      environment: { MESHDOH_SERVER: url },
      signal: end.signal,
      onOutput: (text) => {
        if (text.split('\n').length > 4) end.abort();
      },
    });
    const lines = stdout.split('\n');
    expect(lines.map((line) => line.split(/ +/)[0])).toEqual(['NAME', 'first', 'second-with-a-long-name', 'first', '']);
    expect(lines[3]?.indexOf('[')).toBe('second-with-a-long-name   '.length);
    expect(exitCode).toBe(0);
  });

  it('refuses names', async () => {
    const { stderr, exitCode } = await runVerb(getCommand, ['a', '--watch']);
    expect([stderr, exitCode]).toEqual(['error: names go with neither --selector nor --watch\n', 1]);
  });
});
