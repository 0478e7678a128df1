import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { failure, type Status } from '../status.ts';
import type { EntryChange, Follower } from './change-feed.ts';
import { type Selection, tooOld } from './list-query.ts';
import type { Representation } from './representation.ts';

/** One line of a watch. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: object;
}

export interface WatchOptions {
  readonly selection: Selection;
  readonly representation: Representation;
  readonly bookmarks: boolean;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Told why the registry could not be read. */
  readonly report?: (error: unknown) => void;
  /** Of a watch that nothing happens in, in milliseconds. */
  readonly bookmarkMs?: number;
}

const BOOKMARK_MS = 60_000;

const error = (status: Status): WatchEvent => ({ type: 'ERROR', object: status });

/** What a change is to somebody who sees only the entries that match. */
function eventOf({ before, after, version }: EntryChange, { selection, representation }: WatchOptions): WatchEvent[] {
  const sees = (entry: ServiceEntry | undefined): boolean =>
    entry !== undefined &&
    (selection.namespace === undefined || entry.metadata.namespace === selection.namespace) &&
    selection.matches(entry);
  const entry = after ?? before;
  if (!entry || !(sees(before) || sees(after))) return [];
  if (sees(after)) return [{ type: sees(before) ? 'MODIFIED' : 'ADDED', object: representation.one(entry) }];
  if (after) return [{ type: 'DELETED', object: representation.one(after) }];
  // As it last was, at the version that it is gone in.
  const metadata = { ...entry.metadata, resourceVersion: version };
  return [{ type: 'DELETED', object: representation.one({ ...entry, metadata }) }];
}

/** The events of a watch until its signal aborts, or until it has to end with an ERROR. */
export async function* watchEvents(follower: Follower, options: WatchOptions): AsyncGenerator<WatchEvent> {
  const { bookmarks, signal, representation, bookmarkMs = BOOKMARK_MS } = options;
  const mark = (): WatchEvent => ({ type: 'BOOKMARK', object: representation.mark(follower.version) });
  const { version } = follower;
  try {
    yield* follower.initial.flatMap((after) => eventOf({ after, version }, options));
    while (!signal.aborted) {
      const changes = await follower.next(AbortSignal.any([signal, AbortSignal.timeout(bookmarkMs)]));
      if (changes === 'expired') return yield error(tooOld(follower.version));
      yield* changes.flatMap((change) => eventOf(change, options));
      if (bookmarks && (changes.length === 0 || signal.aborted)) yield mark();
    }
  } catch (fault) {
    options.report?.(fault);
    yield error(failure(503, 'ServiceUnavailable', 'the registry cannot be read', { retryAfterSeconds: 1 }));
  } finally {
    follower.close();
  }
}

const encoder = new TextEncoder();

/** Events as JSON, a line each; `gone` is told when the client goes away. */
export function eventStream(events: AsyncGenerator<WatchEvent>, gone: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    async cancel() {
      gone();
      await events.return(undefined);
    },
  });
}
