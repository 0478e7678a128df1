import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../http/status.ts';
import type { EntryList } from '../registry/writer.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { CommandFailure, ServerRefusal } from './failure.ts';

export interface EntryEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly entry: ServiceEntry;
}

export interface WatchPorts {
  readonly list: () => Promise<EntryList>;
  /** What the server sends from that version on, one JSON value to a line, until it ends it. */
  readonly lines: (resourceVersion: string) => AsyncIterable<string>;
  readonly isWanted: (entry: ServiceEntry) => boolean;
  readonly signal: AbortSignal;
}

/** A server that ends a watch at once, time after time, is not asked more often than this. */
const PAUSE_MS = 1_000;

const GONE = 410;
const TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED']);

type Line =
  | { readonly kind: 'event'; readonly event: EntryEvent; readonly resourceVersion: string }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** The server does not know that version any more: what has changed since must be found by a list. */
  | { readonly kind: 'gone' };

function readLine(text: string): Line {
  const { type, object } = parse(text);
  const resourceVersion: string = object.metadata?.resourceVersion ?? '';
  if (type === 'BOOKMARK') return { kind: 'bookmark', resourceVersion };
  if (TYPES.has(type)) return { kind: 'event', event: { type, entry: object } as EntryEvent, resourceVersion };
  if (type === 'ERROR' && object.code === GONE) return { kind: 'gone' };
  throw new ServerRefusal(object as unknown as Status);
}

interface WatchLine {
  readonly type: unknown;
  readonly object: { readonly metadata?: { readonly resourceVersion?: string }; readonly code?: number };
}

function parse(text: string): WatchLine {
  try {
    const value = JSON.parse(text);
    if (value?.kind === 'Status') return { type: 'ERROR', object: value };
    if (typeof value?.object === 'object' && value.object !== null) return value;
  } catch {
    // Told below: whatever it is, it is no event.
  }
  throw new CommandFailure('the server does not tell changes: it answers a watch with something else than events');
}

const keyOf = ({ metadata }: ServiceEntry): string => `${metadata.namespace}/${metadata.name}`;

/** What has become of `known` by the time of a list, as the events that were missed. */
function missed(known: ReadonlyMap<string, ServiceEntry>, items: readonly ServiceEntry[]): EntryEvent[] {
  const now = new Set(items.map(keyOf));
  const gone = [...known.values()].filter((entry) => !now.has(keyOf(entry)));
  const changes = items.flatMap((entry): EntryEvent[] => {
    const before = known.get(keyOf(entry));
    if (before?.metadata.resourceVersion === entry.metadata.resourceVersion && before) return [];
    return [{ type: before ? 'MODIFIED' : 'ADDED', entry }];
  });
  return [...gone.map((entry): EntryEvent => ({ type: 'DELETED', entry })), ...changes];
}

/** What is there, and each change of it. A watch that the server ends goes on where it ended. */
export async function* watchEntries(ports: WatchPorts): AsyncGenerator<EntryEvent> {
  const known = new Map<string, ServiceEntry>();
  const note = ({ type, entry }: EntryEvent): void => {
    if (type === 'DELETED') known.delete(keyOf(entry));
    else known.set(keyOf(entry), entry);
  };
  while (!ports.signal.aborted) {
    const { items, resourceVersion } = await ports.list();
    for (const event of missed(known, items)) {
      note(event);
      yield event;
    }
    for await (const event of eventsFrom(ports, resourceVersion)) {
      if (!ports.isWanted(event.entry) && !known.has(keyOf(event.entry))) continue;
      note(event);
      yield event;
    }
  }
}

/** Until the server has forgotten where this was. */
async function* eventsFrom({ lines, signal }: WatchPorts, since: string): AsyncGenerator<EntryEvent> {
  const pause = () => sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
  for (let resourceVersion = since; !signal.aborted; await pause()) {
    for await (const text of lines(resourceVersion)) {
      const line = readLine(text);
      if (line.kind === 'gone') return;
      if (line.resourceVersion !== '') resourceVersion = line.resourceVersion;
      if (line.kind === 'event') yield line.event;
    }
  }
}
