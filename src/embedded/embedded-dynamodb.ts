import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { WireObject } from './dynalite-operations.ts';
import { Engine } from './engine.ts';
import type { Faults } from './faults.ts';
import { openLevelStore } from './level-store.ts';
import { createRequestHandler, type RequestHandler } from './request-handler.ts';
import { finishTableChanges } from './tables.ts';

export { EmbeddedFolderError, EmbeddedFolderInUseError } from './level-store.ts';

/** A call came after `close`. */
export class EmbeddedClosedError extends Error {
  constructor() {
    super('The embedded DynamoDB is closed');
    this.name = 'EmbeddedClosedError';
  }
}

/** DynamoDB in this process: dynalite's engine, with transactions, over LevelDB or memory. */
export interface EmbeddedDynamoDb {
  /** For `new DynamoDBClient({ requestHandler })`. */
  readonly requestHandler: RequestHandler;
  /** A connection of its own whose calls meet `faults`: to the data, another process. */
  connect(faults: Faults): RequestHandler;
  /** Calls that arrived, per operation; each retry of the SDK is one. */
  readonly calls: ReadonlyMap<string, number>;
  /** Lets calls that are being executed finish, then releases the folder. Later calls fail. */
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Where data is kept; created if need be, readable by its owner only. Absent: memory. */
  readonly folder?: string;
  /** Milliseconds; ages the idempotency tokens of transactions. */
  readonly now?: () => number;
}

/** Throws EmbeddedFolderInUseError or EmbeddedFolderError when the folder cannot be opened. */
export async function openEmbeddedDynamoDb({
  folder,
  now = Date.now,
}: EmbeddedOptions = {}): Promise<EmbeddedDynamoDb> {
  const level = await openLevelStore(folder);
  await finishTableChanges(level).catch(async (error) => {
    await level.close();
    throw error;
  });
  const engine = new Engine(level, now);
  const calls = new Map<string, number>();
  const running = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  const execute = async (operation: string, input: WireObject) => {
    if (closed) throw new EmbeddedClosedError();
    const outcome = engine.execute(operation, input);
    running.add(outcome);
    return outcome.finally(() => running.delete(outcome));
  };
  const onCall = (operation: string) => void calls.set(operation, (calls.get(operation) ?? 0) + 1);
  return {
    requestHandler: createRequestHandler(execute, onCall),
    connect: (faults) => createRequestHandler(execute, onCall, faults),
    calls,
    close: () => (closed ??= Promise.allSettled(running).then(() => level.close())),
  };
}

export interface EmbeddedClientConfig extends Omit<DynamoDBClientConfig, 'requestHandler'> {
  readonly faults?: Faults;
}

/** The real SDK client on the embedded DynamoDB. Nothing in the user's AWS configuration reaches it. */
export function embeddedClient(db: EmbeddedDynamoDb, config: EmbeddedClientConfig = {}): DynamoDBClient {
  const { faults, ...overrides } = config;
  return new DynamoDBClient({
    region: 'us-east-1',
    endpoint: 'http://embedded.invalid',
    credentials: { accessKeyId: 'embedded', secretAccessKey: 'embedded' },
    maxAttempts: 3,
    retryMode: 'standard',
    defaultsMode: 'standard',
    accountIdEndpointMode: 'disabled',
    authSchemePreference: [],
    endpointDiscoveryEnabled: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    userAgentAppId: '',
    ...overrides,
    requestHandler: faults ? db.connect(faults) : db.requestHandler,
  });
}
