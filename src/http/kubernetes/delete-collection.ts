import type { EntryReader, RegistryWriter } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { rejectionStatus, type Status } from '../status.ts';
import type { DeleteOptions } from './delete-options.ts';
import { listEntries } from './list.ts';
import type { Selection } from './list-query.ts';

export interface DeletedCollection {
  readonly items: readonly ServiceEntry[];
  /** Whose answers may have changed. */
  readonly hosts: readonly string[];
  readonly resourceVersion: string;
  /** Why one of them stayed; others may have gone. */
  readonly refused?: Status;
}

/** Writes under way at once. */
const AT_ONCE = 8;

export interface DeletePorts {
  readonly entries: EntryReader;
  readonly writer: RegistryWriter;
}

/** Deletes what the selection has now. An entry that goes meanwhile is as good as deleted. */
export async function deleteCollection(
  { entries, writer }: DeletePorts,
  selection: Selection,
  options: DeleteOptions,
  signal: AbortSignal,
): Promise<DeletedCollection> {
  const { items, resourceVersion } = await listEntries(entries, selection, {}, 0, signal);
  const waiting = [...items];
  const deleted: ServiceEntry[] = [];
  const hosts: string[] = [];
  let refused: Status | undefined;
  async function work(): Promise<void> {
    for (let entry = waiting.shift(); entry && !refused; entry = waiting.shift()) {
      const { namespace, name } = entry.metadata;
      const outcome = await writer.remove(namespace, name, options, signal);
      if (outcome.kind === 'rejected') {
        if (outcome.reason !== 'NotFound') refused ??= rejectionStatus(name, outcome);
        continue;
      }
      deleted.push(entry);
      hosts.push(...outcome.hosts);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { items: deleted, hosts, resourceVersion, ...(refused ? { refused } : {}) };
}
