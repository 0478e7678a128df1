import { expect } from 'vitest';
import { createDynamoDbTable } from '../../src/registry/dynamodb-table.ts';
import type { RegistryReader } from '../../src/registry/reader.ts';
import { tableReader } from '../../src/resolve/table-reader.ts';
import { buildTable } from '../../src/table/build-table.ts';
import { parseTable, tableJson } from '../../src/table/parse-table.ts';
import type { View } from '../../src/table/view.ts';
import { deadline, openTestRegistry, TABLE, type TestRegistry } from '../support/registry.ts';
import { describeRegistryReader, type OpenReader } from './registry-reader.ts';

const SETTINGS = { ttl: { vip: 300, owned: 30, negative: 30 }, privateZones: ['internal'] };

/** The same registry on DynamoDB, whatever is read from it. */
const onDynamoDb =
  (readerOf: (registry: TestRegistry, view: View) => RegistryReader | Promise<RegistryReader>): OpenReader =>
  async (entries, view) => {
    const registry = await openTestRegistry();
    for (const entry of entries) {
      expect(await registry.apply(entry)).toMatchObject({ kind: 'created' });
      registry.clock.now += 1000;
    }
    return {
      reader: await readerOf(registry, view),
      vipOf: async (host) => {
        const { items } = await registry.entries.list(view.namespace, deadline());
        const [ipv4, ipv6] = items.flatMap(({ status }) => status?.addresses ?? []).filter((one) => one.host === host);
        return [ipv4?.value ?? '', ipv6?.value ?? ''];
      },
      close: () => registry.db.close(),
    };
  };

describeRegistryReader(
  'DynamoDB',
  onDynamoDb((registry) => registry.reader),
);

describeRegistryReader(
  'the table of a view',
  onDynamoDb(async ({ client }, view) => {
    const mesh = await createDynamoDbTable({ client, table: TABLE }).read(deadline());
    const read = parseTable(tableJson(buildTable(mesh, view, SETTINGS)));
    if (!read.ok) throw new Error(read.reason);
    return tableReader(read.table);
  }),
);
