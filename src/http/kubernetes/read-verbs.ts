import type { Context } from 'hono';
import type { EntryReader } from '../../registry/writer.ts';
import { sendStatus } from '../api.ts';
import { listEntries } from './list.ts';
import { flagOf, readPaging, readSelection, tooOld } from './list-query.ts';
import { chooseRepresentation } from './representation.ts';
import { notFound } from './resource.ts';
import { createWatching, type WatchingPorts } from './watching.ts';

export interface ReadPorts extends WatchingPorts {
  readonly entries: EntryReader;
  readonly now?: () => number;
}

type Handler = (c: Context) => Promise<Response>;

/** get, list and watch. */
export function createReadVerbs(ports: ReadPorts): { readonly get: Handler; readonly list: Handler } {
  const { entries, adminTimeoutMs, now = Date.now } = ports;
  const watch = createWatching(ports);
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);
  return {
    async get(c) {
      const { namespace = '', name = '' } = c.req.param();
      const representation = chooseRepresentation(c, now);
      if ('status' in representation) return sendStatus(c, representation);
      const entry = await entries.get(namespace, name, deadline());
      return entry ? c.json(representation.one(entry)) : sendStatus(c, notFound(name));
    },

    async list(c) {
      const representation = chooseRepresentation(c, now);
      if ('status' in representation) return sendStatus(c, representation);
      const selection = readSelection(c);
      if ('status' in selection) return sendStatus(c, selection);
      if (flagOf(c.req.query('watch')) && c.req.method === 'GET') return watch(c, selection, representation);
      const paging = readPaging(c, now());
      if ('status' in paging) return sendStatus(c, paging);
      const { items, ...metadata } = await listEntries(entries, selection, paging, now(), deadline());
      const { exactly = metadata.resourceVersion } = paging;
      if (exactly !== metadata.resourceVersion) return sendStatus(c, tooOld(exactly));
      return c.json(representation.list(items, metadata));
    },
  };
}
