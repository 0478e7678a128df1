import { DeleteItemCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { type PartialView, readPartialView } from '../table/view-fields.ts';
import { orUnavailable } from './dynamodb-faults.ts';
import { type Item, ItemFormatError } from './dynamodb-items.ts';
import { queryPartition } from './dynamodb-partition.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { TOKENS } from './keys.ts';
import { tokenIdOf } from './token-format.ts';
import type { TokenReader, TokenRecord, TokenStore } from './tokens.ts';

function encode(sha256: string, { kind, label, view, createdAt, expiresAt }: TokenRecord): Item {
  return {
    pk: { S: TOKENS },
    sk: { S: sha256 },
    kind: { S: kind },
    label: { S: label },
    view: { S: JSON.stringify(view) },
    createdAt: { S: createdAt },
    ...(expiresAt === undefined ? {} : { expiresAt: { S: expiresAt } }),
  };
}

/** A view that makes no sense must not become the view of the settings, which may see more. */
export function decodeView({ view, sk }: Item): PartialView {
  const read = readPartialView(parseJson(view?.S ?? ''));
  if (!read.ok) throw new ItemFormatError(`credential ${sk?.S}: ${read.reason}`);
  return read.view;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decode(item: Item): TokenRecord {
  const kind = item.kind?.S;
  if (kind !== 'client' && kind !== 'admin') throw new ItemFormatError(`token ${item.sk?.S} is of no known kind`);
  return {
    id: tokenIdOf(item.sk?.S ?? ''),
    kind,
    label: item.label?.S ?? '',
    view: decodeView(item),
    createdAt: item.createdAt?.S ?? '',
    ...(item.expiresAt?.S === undefined ? {} : { expiresAt: item.expiresAt.S }),
  };
}

const byCreation = (a: TokenRecord, b: TokenRecord): number =>
  `${a.createdAt} ${a.id}` < `${b.createdAt} ${b.id}` ? -1 : 1;

/** Tokens are the items of one partition by their SHA-256, so that one Query lists them. */
export function createDynamoDbTokens(source: TableClient): TokenReader & TokenStore {
  const { client, table } = source;

  async function revoked(id: string, signal: AbortSignal): Promise<string | undefined> {
    const [item] = await Array.fromAsync(queryPartition(source, { pk: TOKENS, prefix: id }, signal));
    const sha256 = item?.sk?.S;
    if (sha256 === undefined) return undefined;
    const command = new DeleteItemCommand({ TableName: table, Key: { pk: { S: TOKENS }, sk: { S: sha256 } } });
    await client.send(command, { abortSignal: signal });
    return sha256;
  }

  return {
    /** Consistent, so that a token works as soon as its creator has it. */
    async bySha256(sha256, signal) {
      const Key = { pk: { S: TOKENS }, sk: { S: sha256 } };
      const command = new GetItemCommand({ TableName: table, Key, ConsistentRead: true });
      const { Item } = await client.send(command, { abortSignal: signal });
      return Item && decode(Item);
    },
    async add(sha256, record, signal) {
      const command = new PutItemCommand({ TableName: table, Item: encode(sha256, record) });
      await orUnavailable(client.send(command, { abortSignal: signal }));
    },
    list: async (signal) =>
      (await orUnavailable(Array.fromAsync(queryPartition(source, { pk: TOKENS }, signal))))
        .map(decode)
        .sort(byCreation),
    revoke: (id, signal) => orUnavailable(revoked(id, signal)),
  };
}
