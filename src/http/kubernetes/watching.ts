import type { Context } from 'hono';
import type { EntryReader } from '../../registry/writer.ts';
import { badRequest, sendStatus } from '../api.ts';
import { failure, type Status } from '../status.ts';
import { ChangeFeed } from './change-feed.ts';
import { flagOf, type Selection, tooOld, wholeNumber } from './list-query.ts';
import type { Representation } from './representation.ts';
import { eventStream, type WatchEvent, watchEvents } from './watch.ts';

export interface WatchingPorts {
  readonly entries: EntryReader;
  readonly adminTimeoutMs: number;
  /** Told of faults that the client only sees as such. */
  readonly report?: (error: unknown) => void;
  /** After which a watch ends, in milliseconds: where answers are not streamed, a client waits for all of it. */
  readonly watchLimitMs?: number;
  /** Aborts when the server is to close: no watch ends by itself. */
  readonly ending?: AbortSignal;
  /** Between two looks at the registry while somebody watches, in milliseconds; 1 s when absent. */
  readonly watchPollMs?: number;
}

/** Of one process: each holds a connection, and is told of every change. */
const MAX_WATCHERS = 100;
const WATCH_LIMIT_MS = 30 * 60_000;
const WATCH_POLL_MS = 1000;

const TOO_MANY = failure(429, 'TooManyRequests', `too many watches: this server has ${MAX_WATCHERS} at most`, {
  retryAfterSeconds: 1,
});
const NO_WATCH_LIST = failure(
  422,
  'Invalid',
  'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: this server does not stream lists',
);

async function* single(event: WatchEvent): AsyncGenerator<WatchEvent> {
  yield event;
}

const send = (events: AsyncGenerator<WatchEvent>, gone: () => void): Response =>
  new Response(eventStream(events, gone), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });

interface WatchQuery {
  /** Absent for one that begins with the present state. */
  readonly from?: string;
  readonly bookmarks: boolean;
  /** As long as the client wants it, in milliseconds. */
  readonly wantedMs?: number;
}

function readWatch(c: Context): WatchQuery | Status {
  const { resourceVersion = '', timeoutSeconds, allowWatchBookmarks, sendInitialEvents } = c.req.query();
  const seconds = wholeNumber('timeoutSeconds', timeoutSeconds);
  if (typeof seconds === 'object') return seconds;
  if (!/^\d*$/.test(resourceVersion)) {
    return badRequest(`resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}`);
  }
  if (flagOf(sendInitialEvents)) return NO_WATCH_LIST;
  return {
    bookmarks: flagOf(allowWatchBookmarks),
    ...(resourceVersion === '' || resourceVersion === '0' ? {} : { from: resourceVersion }),
    ...(seconds ? { wantedMs: seconds * 1000 } : {}),
  };
}

/** `watch=true` of a list: one feed of changes for all watchers of the process. */
export function createWatching(ports: WatchingPorts) {
  const { entries, adminTimeoutMs, report, ending, watchLimitMs = WATCH_LIMIT_MS, watchPollMs = WATCH_POLL_MS } = ports;
  const feed = new ChangeFeed({ entries, pollMs: watchPollMs, timeoutMs: adminTimeoutMs });

  return async (c: Context, selection: Selection, representation: Representation): Promise<Response> => {
    const query = readWatch(c);
    if ('status' in query) return sendStatus(c, query);
    if (feed.followers >= MAX_WATCHERS) {
      c.header('Retry-After', '1');
      return sendStatus(c, TOO_MANY);
    }
    const { from, bookmarks, wantedMs = watchLimitMs } = query;
    const follower = await feed.follow(from);
    if (follower === 'expired') return send(single({ type: 'ERROR', object: tooOld(from ?? '') }), () => undefined);
    const left = new AbortController();
    const ends = [left.signal, AbortSignal.timeout(Math.min(wantedMs, watchLimitMs)), ...(ending ? [ending] : [])];
    const signal = AbortSignal.any(ends);
    // Also of a client that does not read, and so never comes to the end of what it is told.
    signal.addEventListener('abort', () => follower.close(), { once: true });
    if (signal.aborted) follower.close();
    const options = { selection, representation, bookmarks, signal, ...(report ? { report } : {}) };
    return send(watchEvents(follower, options), () => left.abort());
  };
}
