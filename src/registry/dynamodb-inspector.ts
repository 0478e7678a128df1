import { orUnavailable } from './dynamodb-faults.ts';
import { decodeRecord } from './dynamodb-items.ts';
import { decodeLookedUp } from './dynamodb-retirement.ts';
import { batchGet, type TableClient } from './dynamodb-snapshot.ts';
import type { InspectedHost, RegistryInspector } from './inspector.ts';
import { hostItem, keyText, SUFFIXES } from './keys.ts';
import { mayBeRegistered } from './suffixes.ts';

export function createDynamoDbInspector(source: TableClient): RegistryInspector {
  async function inspect(
    hosts: readonly string[],
    namespace: string,
    signal: AbortSignal,
  ): Promise<Map<string, InspectedHost>> {
    const items = await batchGet(source, [SUFFIXES, ...hosts.map(hostItem)], true, signal);
    const suffixes = items.get(keyText(SUFFIXES));
    const members = suffixes ? decodeLookedUp(suffixes) : new Set<number>();
    return new Map(
      hosts.map((host) => {
        const item = items.get(keyText(hostItem(host)));
        const record = item ? decodeRecord(host, item) : undefined;
        const isRegistered = record !== undefined && record.namespaces.length > 0;
        return [
          host,
          { mayBeRegistered: mayBeRegistered(members, host, namespace), ...(isRegistered ? { record } : {}) },
        ];
      }),
    );
  }
  return { inspect: (hosts, namespace, signal) => orUnavailable(inspect(hosts, namespace, signal)) };
}
