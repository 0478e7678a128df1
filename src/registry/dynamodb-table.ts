import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { RegisteredMesh } from '../table/registered-host.ts';
import { orUnavailable } from './dynamodb-faults.ts';
import { decodeStored } from './dynamodb-items.ts';
import { readPools } from './dynamodb-open.ts';
import { queryPartition } from './dynamodb-partition.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { readVersion } from './dynamodb-version.ts';
import { ENTRIES } from './keys.ts';
import type { MeshSource } from './mesh-source.ts';
import { registeredHosts } from './registered-mesh.ts';

async function readEntries(source: TableClient, signal: AbortSignal): Promise<ServiceEntry[]> {
  const entries: ServiceEntry[] = [];
  for await (const item of queryPartition(source, { pk: ENTRIES }, signal)) {
    const stored = decodeStored(item);
    if (stored) entries.push(stored.entry);
  }
  return entries;
}

async function readMesh(source: TableClient, signal: AbortSignal): Promise<RegisteredMesh> {
  const entries = await readEntries(source, signal);
  // Afterwards: a VIP comes from no pool that the table does not know by then.
  const { active, draining } = await readPools(source, signal);
  return { hosts: registeredHosts(entries), pools: [...(active ? [active] : []), ...draining] };
}

/** All of the registry from its entries: no host item is read, so it costs what a list of all entries does. */
export const createDynamoDbTable = (source: TableClient): MeshSource => ({
  version: (signal) => orUnavailable(readVersion(source, signal)),
  read: (signal) => orUnavailable(readMesh(source, signal)),
});
