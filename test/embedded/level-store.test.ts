import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { paginateScan, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EmbeddedClosedError,
  EmbeddedFolderError,
  EmbeddedFolderInUseError,
  embeddedClient,
  openEmbeddedDynamoDb,
} from '../../src/embedded/embedded-dynamodb.ts';
import { createThings, get, type Item, keyOf, put, rejectionOf, TableName } from './things.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'embedded-'));
  folder = join(root, 'state', 'db');
});
afterEach(() => rm(root, { recursive: true }));

/** A process that writes 50 items per transaction and prints the number of each acknowledged transaction. */
function startWriter() {
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'endless-writer.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { writer, lines: createInterface({ input: writer.stdout })[Symbol.asyncIterator]() };
}

describe('a folder', () => {
  it('keeps what was written, readable by its owner only', async () => {
    const first = await openEmbeddedDynamoDb({ folder });
    const item = { ...keyOf('a'), blob: { B: Uint8Array.of(0, 128, 255) } };
    await createThings(embeddedClient(first));
    await put(embeddedClient(first), item);
    await first.close();

    const second = await openEmbeddedDynamoDb({ folder });
    expect(await get(embeddedClient(second), keyOf('a'))).toEqual(item);
    await second.close();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('can be open once at a time in this process', async () => {
    const db = await openEmbeddedDynamoDb({ folder });
    const error = await rejectionOf(openEmbeddedDynamoDb({ folder }));
    expect(error).toBeInstanceOf(EmbeddedFolderInUseError);
    expect(error).toMatchObject({ folder, message: expect.stringContaining(folder) });
    await db.close();
    await (await openEmbeddedDynamoDb({ folder })).close();
  });

  it('that is no folder is named in the error, with its cause', async () => {
    const file = join(root, 'file');
    await writeFile(file, '');
    const error = await rejectionOf(openEmbeddedDynamoDb({ folder: file }));
    expect(error).toBeInstanceOf(EmbeddedFolderError);
    expect(error).toMatchObject({ folder: file, cause: { code: 'EEXIST' } });
  });

  it('that another process has open is refused; when that is killed, all it acknowledged is there, in whole transactions', async () => {
    const { writer, lines } = startWriter();
    let acknowledged = 0;
    while (acknowledged < 20) acknowledged = Number((await lines.next()).value);
    expect(await rejectionOf(openEmbeddedDynamoDb({ folder }))).toBeInstanceOf(EmbeddedFolderInUseError);

    const exited = once(writer, 'exit');
    writer.kill('SIGKILL');
    await exited;
    for await (const line of lines) acknowledged = Number(line);

    const db = await openEmbeddedDynamoDb({ folder });
    const Items: Item[] = [];
    for await (const page of paginateScan({ client: embeddedClient(db) }, { TableName }))
      Items.push(...(page.Items ?? []));
    const parts = Map.groupBy(Items, (item) => Number(item.sk?.S));
    const numbers = [...parts.keys()].sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(acknowledged);
    expect([...parts.values()].filter((items) => items.length !== 50)).toEqual([]);
    await db.close();
  });
});

describe('close', () => {
  it('lets running calls finish, refuses later ones, and may be repeated', async () => {
    const db = await openEmbeddedDynamoDb({ folder });
    const client = embeddedClient(db, { maxAttempts: 1 });
    await createThings(client);
    const writes = Array.from({ length: 20 }, (_, i) => ({ Put: { TableName, Item: keyOf(`item-${i}`) } }));
    const running = client.send(new TransactWriteItemsCommand({ TransactItems: writes }));
    while (!db.calls.has('TransactWriteItems')) await new Promise(setImmediate);
    await Promise.all([db.close(), db.close()]);
    await running;
    expect(await rejectionOf(put(client, keyOf('a')))).toBeInstanceOf(EmbeddedClosedError);

    const again = await openEmbeddedDynamoDb({ folder });
    expect(await get(embeddedClient(again), keyOf('item-19'))).toBeDefined();
    await again.close();
  });
});
