import type { EntryReader } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { encodeContinue } from './continue-token.ts';
import type { Paging, Selection } from './list-query.ts';
import { isPossible } from './resource.ts';

export interface ListPart {
  readonly items: readonly ServiceEntry[];
  readonly resourceVersion: string;
  /** Given when there is more. */
  readonly continue?: string;
}

/** Above what a page of the store holds, so that it decides; a short list reads no more than it shows. */
const MAX_PAGE_SIZE = 1000;

async function* selected(
  entries: EntryReader,
  selection: Selection,
  { limit, continued }: Paging,
  signal: AbortSignal,
): AsyncGenerator<ServiceEntry> {
  const { namespace, name, isSelective, matches } = selection;
  if (namespace !== undefined && name !== undefined) {
    const entry = isPossible(namespace, name) ? await entries.get(namespace, name, signal) : undefined;
    if (entry && matches(entry) && !continued) yield entry;
    return;
  }
  const range = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(continued ? { after: continued } : {}),
    ...(limit && !isSelective ? { pageSize: Math.min(limit + 1, MAX_PAGE_SIZE) } : {}),
  };
  for await (const entry of entries.scan(range, signal)) if (matches(entry)) yield entry;
}

/** The entries of the selection, or as many of them as the request takes at once. */
export async function listEntries(
  entries: EntryReader,
  selection: Selection,
  paging: Paging,
  now: number,
  signal: AbortSignal,
): Promise<ListPart> {
  const { limit, continued } = paging;
  const resourceVersion = continued?.resourceVersion ?? (await entries.resourceVersion(signal));
  const items: ServiceEntry[] = [];
  for await (const entry of selected(entries, selection, paging, signal)) {
    const last = items.at(-1)?.metadata;
    if (limit && items.length === limit && last) {
      const { namespace, name } = last;
      const token = encodeContinue({ resourceVersion, since: continued?.since ?? now, namespace, name });
      return { items, resourceVersion, continue: token };
    }
    items.push(entry);
  }
  return { items, resourceVersion };
}
