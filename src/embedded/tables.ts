import { setTimeout as sleep } from 'node:timers/promises';
import type { Table } from 'dynalite/db/index.js';
import { checkInput, type WireObject } from './dynalite-operations.ts';
import type { Storage } from './item-address.ts';
import { readTable, readTables, writeOfTable } from './level-layout.ts';
import type { LevelStore } from './level-store.ts';
import { runAction } from './run-action.ts';
import { asServiceError } from './service-error.ts';

/**
 * CreateTable, UpdateTable and DeleteTable. As in DynamoDB the answer shows the table on its way
 * (CREATING and so on); unlike there, it has arrived by the time the answer does.
 */
export async function changeTable(
  { level, locks }: Storage,
  name: 'CreateTable' | 'UpdateTable' | 'DeleteTable',
  input: WireObject,
): Promise<WireObject> {
  const data = checkInput<{ TableName: string }>(name, input);
  return locks.hold([`table ${data.TableName}`], async () => {
    const { output } = await runAction(level, name, data);
    const answer = structuredClone(output);
    await untilChanged(level, data.TableName);
    return answer;
  });
}

/** dynalite ends a change from a timer; a process that stopped before it left the table halfway. */
export async function finishTableChanges(level: LevelStore): Promise<void> {
  for (const table of await readTables(level)) {
    if (table.TableStatus === 'DELETING') await removeTable(level, table.TableName);
    else if (isInTransition(table)) await level.commit([writeOfTable(activated(table))]);
  }
}

async function removeTable(level: LevelStore, name: string): Promise<void> {
  await runAction(level, 'DeleteTable', checkInput('DeleteTable', { TableName: name }));
  await untilChanged(level, name);
}

/** Gives up after a second or so: the table is then seen on its way for longer, as DynamoDB's are. */
async function untilChanged(level: LevelStore, name: string): Promise<void> {
  for (let tries = 0; tries < 1000 && (await isChanging(level, name)); tries++) await sleep(1);
}

async function isChanging(level: LevelStore, name: string): Promise<boolean> {
  try {
    return isInTransition(await readTable(level, name, false));
  } catch (error) {
    if (asServiceError(error)?.code === 'ResourceNotFoundException') return false;
    throw error;
  }
}

function isInTransition(table: Table): boolean {
  return table.TableStatus !== 'ACTIVE' || (table.GlobalSecondaryIndexes ?? []).some((i) => i.IndexStatus !== 'ACTIVE');
}

function activated(table: Table): Table {
  const indexes = table.GlobalSecondaryIndexes?.map((index) => ({ ...index, IndexStatus: 'ACTIVE' }));
  return { ...table, TableStatus: 'ACTIVE', ...(indexes && { GlobalSecondaryIndexes: indexes }) };
}
