import http from 'node:http';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NodeServer, startNodeServer } from '../../../src/http/node-server.ts';
import { serviceEntry } from '../../support/registry.ts';
import { ALL, COLLECTION, openTestApi, type TestApi, type TestApiOptions } from './test-api.ts';

interface Event {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  readonly object: any;
}

interface Watch {
  readonly status: number;
  /** The next event; undefined when the watch has ended. */
  next(): Promise<Event | undefined>;
  /** Whether it was told that nothing more comes, and not just broken off. */
  hasEnded(): boolean;
  leave(): void;
}

let api: TestApi;
let server: NodeServer;
let ending: AbortController;
const leaves: (() => void)[] = [];
async function open(options: TestApiOptions = {}): Promise<void> {
  ending = new AbortController();
  api = await openTestApi({ watchPollMs: 10, ending: ending.signal, ...options });
  server = await startNodeServer({
    address: '127.0.0.1',
    port: 0,
    app: api.app,
    doh: () => Promise.reject(new Error('no DoH here')),
    closing: () => ending.abort(),
    report: (error) => api.faults.push(error),
  });
}

async function close(): Promise<void> {
  for (const leave of leaves.splice(0)) leave();
  await server.close();
  await api.close();
  expect(api.faults).toEqual([]);
}

async function watch(target: string, accept = 'application/json', agent: http.Agent | false = false): Promise<Watch> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const request = http.get({ host: '127.0.0.1', port: server.port, path: target, agent, headers: { accept } });
  request.on('response', resolve).on('error', reject);
  const response = await promise;
  response.on('error', () => undefined);
  const lines = createInterface(response)[Symbol.asyncIterator]();
  const leave = () => {
    request.destroy();
  };
  leaves.push(leave);
  return {
    status: response.statusCode ?? 0,
    leave,
    hasEnded: () => response.complete,
    async next() {
      const { value, done } = await lines.next();
      return done ? undefined : JSON.parse(value);
    },
  };
}

const put = (name: string, metadata: object = {}, location?: 'MESH_EXTERNAL') => {
  api.registry.clock.now += 1000;
  return api.registry.apply(
    serviceEntry(name, { hosts: [`${name}.internal`], ...(location ? { location } : {}) }, metadata),
  );
};
const version = async (): Promise<string> => (await api.send('GET', ALL)).body.metadata.resourceVersion;
const brief = (event: Event | undefined) => event && `${event.type} ${event.object.metadata.name}`;

describe('a watch', () => {
  beforeEach(() => open());
  afterEach(close);

  it('from the version of a list tells what comes after it', async () => {
    await put('a');
    const watching = await watch(`${COLLECTION}?watch=true&resourceVersion=${await version()}`);
    expect(watching.status).toBe(200);
    await put('b');
    const added = await watching.next();
    expect(added).toMatchObject({ type: 'ADDED', object: { kind: 'ServiceEntry', metadata: { name: 'b' } } });
    await put('b', {}, 'MESH_EXTERNAL');
    expect(await watching.next()).toMatchObject({ type: 'MODIFIED', object: { spec: { location: 'MESH_EXTERNAL' } } });
    await api.registry.remove('b');
    const deleted = await watching.next();
    expect(deleted).toMatchObject({ type: 'DELETED', object: { spec: { location: 'MESH_EXTERNAL' } } });
    expect(deleted?.object.metadata.resourceVersion).toBe(await version());
  });

  it.each(['', '&resourceVersion=0'])('without a version (%j) begins with what there is', async (query) => {
    await put('a');
    const watching = await watch(`${ALL}?watch=1${query}`);
    expect(brief(await watching.next())).toBe('ADDED a');
    await put('b');
    expect(brief(await watching.next())).toBe('ADDED b');
  });

  it('sees its namespace, and what its selectors say: leaving them is DELETED, coming in is ADDED', async () => {
    const target = `${COLLECTION}?watch=true&labelSelector=app%3Dweb&resourceVersion=${await version()}`;
    const watching = await watch(target);
    await put('other');
    await put('a', { namespace: 'team', labels: { app: 'web' } });
    await put('b', { labels: { app: 'web' } });
    expect(brief(await watching.next())).toBe('ADDED b');
    await put('b', { labels: { app: 'api' } });
    expect(await watching.next()).toMatchObject({ type: 'DELETED', object: { metadata: { labels: { app: 'api' } } } });
    await put('b', { labels: { app: 'web' } });
    expect(brief(await watching.next())).toBe('ADDED b');
  });

  it('by name is what kubectl waits with', async () => {
    await put('a');
    const target = `${COLLECTION}?watch=true&fieldSelector=metadata.name%3Da&resourceVersion=${await version()}`;
    const watching = await watch(target);
    await put('b');
    await api.registry.remove('a');
    expect(brief(await watching.next())).toBe('DELETED a');
  });

  it('speaks the version and the form that are asked for', async () => {
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const rows = await watch(`${ALL}?watch=true`, table);
    const objects = await watch(`${ALL.replace('v1', 'v1alpha3')}?watch=true`);
    await put('a');
    const event = await rows.next();
    expect(event).toMatchObject({ type: 'ADDED', object: { kind: 'Table' } });
    expect(event?.object.rows.map(({ cells }: { cells: string[] }) => cells[0])).toEqual(['a']);
    expect((await objects.next())?.object.apiVersion).toBe('networking.istio.io/v1alpha3');
  });

  it('goes on from the version of the last event', async () => {
    const from = await version();
    const watching = await watch(`${ALL}?watch=true&resourceVersion=${from}`);
    await put('a');
    const { object } = (await watching.next()) ?? {};
    watching.leave();
    await put('b');
    const again = await watch(`${ALL}?watch=true&resourceVersion=${object.metadata.resourceVersion}`);
    expect(brief(await again.next())).toBe('ADDED b');
  });

  it('from a version that nobody remembers ends with 410', async () => {
    await put('a');
    await put('b');
    const watching = await watch(`${ALL}?watch=true&resourceVersion=1`);
    expect(await watching.next()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
    expect(await watching.next()).toBeUndefined();
  });

  it('ends after timeoutSeconds, with a bookmark for who allows them', async () => {
    const query = `watch=true&timeoutSeconds=1&resourceVersion=${await version()}`;
    const [plain, marked] = await Promise.all([
      watch(`${ALL}?${query}`),
      watch(`${ALL}?${query}&allowWatchBookmarks=true`),
    ]);
    expect(await plain.next()).toBeUndefined();
    expect(await marked.next()).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ServiceEntry', metadata: { resourceVersion: await version() } },
    });
    expect(await marked.next()).toBeUndefined();
  });

  it('ends with an ERROR when the registry cannot be read, which is reported', async () => {
    const watching = await watch(`${ALL}?watch=true&resourceVersion=${await version()}`);
    const reads = vi.spyOn(api.registry.entries, 'resourceVersion').mockRejectedValue(new Error('broken'));
    expect(await watching.next()).toMatchObject({ type: 'ERROR', object: { code: 503, reason: 'ServiceUnavailable' } });
    expect(await watching.next()).toBeUndefined();
    expect(api.faults.splice(0).map(String)).toEqual(['Error: broken']);
    reads.mockRestore();
  });

  it.each(['timeoutSeconds=soon', 'resourceVersion=abc', 'labelSelector=%3D'])('refuses %s', async (query) => {
    expect(await api.send('GET', `${ALL}?watch=true&${query}`)).toMatchObject({ status: 400 });
  });

  it('does not stream a list, and says so', async () => {
    const { status, body } = await api.send('GET', `${ALL}?watch=true&sendInitialEvents=true`);
    expect({ status, reason: body.reason }).toEqual({ status: 422, reason: 'Invalid' });
  });

  it('is none of those over the number that a server has', async () => {
    const target = `${ALL}?watch=true&resourceVersion=${await version()}`;
    const watches = await Promise.all(Array.from({ length: 100 }, () => watch(target)));
    expect(watches.map(({ status }) => status)).toEqual(Array(100).fill(200));
    const { status, body, headers } = await api.send('GET', target);
    expect({ status, reason: body.reason }).toEqual({ status: 429, reason: 'TooManyRequests' });
    expect(headers.get('retry-after')).toBe('1');
    for (const { leave } of watches) leave();
    await expect.poll(async () => (await watch(target)).status).toBe(200);
  });
});

describe('a watcher that goes away', () => {
  beforeEach(() => open());
  afterEach(close);

  it('costs nothing any more', async () => {
    const reads = vi.spyOn(api.registry.entries, 'resourceVersion');
    const { leave } = await watch(`${ALL}?watch=true`);
    await expect.poll(() => reads.mock.calls.length).toBeGreaterThan(3);
    leave();
    await expect
      .poll(async () => {
        const before = reads.mock.calls.length;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return reads.mock.calls.length - before;
      })
      .toBe(0);
  });
});

describe('a server that closes', () => {
  beforeEach(() => open());
  afterEach(() => api.close());

  it('ends its watches, and waits for nobody who keeps the connection for more', async () => {
    const agent = new http.Agent({ keepAlive: true });
    const watching = await watch(`${ALL}?watch=true`, 'application/json', agent);
    const graceEnds = new Promise((resolve) => setTimeout(resolve, 1_500, 'its grace was used up'));
    const closed = server.close().then(() => 'closed');
    expect(await watching.next()).toBeUndefined();
    expect(watching.hasEnded()).toBe(true);
    expect(await Promise.race([closed, graceEnds])).toBe('closed');
    agent.destroy();
  });
});

describe('a watcher that reads nothing', () => {
  beforeEach(() => open({ watchLimitMs: 300 }));
  afterEach(close);

  it('gives its place back when its time is over', async () => {
    const reads = vi.spyOn(api.registry.entries, 'resourceVersion');
    await put('a');
    const { body } = await api.app.request(`${ALL}?watch=true`);
    await put('b');
    const looks = () => reads.mock.calls.length;
    await expect.poll(looks).toBeGreaterThan(3);
    await expect
      .poll(
        async () => {
          const before = looks();
          await new Promise((resolve) => setTimeout(resolve, 50));
          return looks() - before;
        },
        { timeout: 5_000 },
      )
      .toBe(0);
    await body?.cancel();
  });
});

describe('a watch where answers are not streamed', () => {
  beforeEach(() => open({ watchLimitMs: 200 }));
  afterEach(close);

  it('ends before the platform would end it, with what it has', async () => {
    const target = `${ALL}?watch=true&timeoutSeconds=600&resourceVersion=${await version()}`;
    const answer = Promise.resolve(api.app.request(target)).then((response) => response.text());
    await put('a');
    const lines = (await answer).trimEnd().split('\n');
    expect(lines.map((line) => brief(JSON.parse(line)))).toEqual(['ADDED a']);
  });
});
