import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { decodeBlock, decodeEntry, decodeHost, type Item } from '../../src/registry/dynamodb-items.ts';
import { ENTRIES, hostOfPartition } from '../../src/registry/keys.ts';
import type { EntryState, HostState } from '../../src/registry/state.ts';
import type { Block } from '../../src/vip/plan.ts';
import { TABLE } from '../support/registry.ts';

export interface VipItem {
  readonly namespace: string;
  readonly host: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly until?: number;
}

/** The whole table, decoded, as it stood at one instant. */
export interface TableImage {
  readonly entries: ReadonlyMap<string, EntryState>;
  readonly hosts: ReadonlyMap<string, HostState>;
  readonly blocks: ReadonlyMap<string, Block>;
  /** By pool and slot, as `<pool>/<slot>`. */
  readonly vips: ReadonlyMap<string, VipItem>;
}

const text = (item: Item, attribute: string): string => item[attribute]?.S ?? '';

export function imageOf(items: readonly Item[]): TableImage {
  const image = {
    entries: new Map<string, EntryState>(),
    hosts: new Map<string, HostState>(),
    blocks: new Map<string, Block>(),
    vips: new Map<string, VipItem>(),
  };
  for (const item of items) {
    const [pk, sk] = [text(item, 'pk'), text(item, 'sk')];
    if (pk === ENTRIES) image.entries.set(sk, decodeEntry(item));
    if (sk === 'host') image.hosts.set(hostOfPartition(pk), decodeHost(hostOfPartition(pk), item));
    const pool = pk.startsWith('pool#') ? pk.slice('pool#'.length) : undefined;
    if (pool === undefined) continue;
    const number = Number(sk.slice(sk.indexOf('#') + 1));
    if (sk.startsWith('block#')) image.blocks.set(`${pool}/${number}`, decodeBlock(item));
    else {
      const until = item.until?.N === undefined ? {} : { until: Number(item.until.N) };
      const [namespace, host, ipv4, ipv6] = ['namespace', 'host', 'ipv4', 'ipv6'].map((name) => text(item, name));
      image.vips.set(`${pool}/${number}`, { namespace, host, ipv4, ipv6, ...until } as VipItem);
    }
  }
  return image;
}

export async function readTable(client: DynamoDBClient): Promise<TableImage> {
  const items: Item[] = [];
  let from: Item | undefined;
  do {
    const page = await client.send(
      new ScanCommand({ TableName: TABLE, ConsistentRead: true, ...(from ? { ExclusiveStartKey: from } : {}) }),
    );
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  } while (from);
  return imageOf(items);
}
