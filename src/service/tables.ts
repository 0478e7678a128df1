import { TableCache } from '../http/table-cache.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createDynamoDbTable } from '../registry/dynamodb-table.ts';
import type { Settings } from '../settings.ts';

/** The tables of all views on one DynamoDB table, to be shared by everything that serves them. */
export const openTables = (source: TableClient, settings: Settings): TableCache =>
  new TableCache(createDynamoDbTable(source), { settings, staleMaxMs: settings.staleMaxMs });
