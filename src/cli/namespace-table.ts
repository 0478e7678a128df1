import type { MeshTable } from '../table/mesh-table.ts';
import { parseTable } from '../table/parse-table.ts';
import { CommandFailure } from './failure.ts';
import type { OperationsClient } from './operations-client.ts';

/** The table as clients of a namespace see it. @throws CommandFailure when it is none. */
export async function namespaceTable({ ask }: OperationsClient, namespace: string): Promise<MeshTable> {
  const target = `/v1/table?${new URLSearchParams({ namespace })}`;
  const read = parseTable(JSON.stringify(await ask<unknown>({ method: 'GET', target })));
  if (!read.ok) throw new CommandFailure(`the server's table cannot be used: ${read.reason}`);
  return read.table;
}
