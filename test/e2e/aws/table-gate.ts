import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedDynamoDb } from '../../../src/embedded/embedded-dynamodb.ts';
import { ACCOUNT, REGION } from './account.ts';
import { Refusal } from './refusal.ts';
import type { Reply, ServiceCall } from './service.ts';

/** What can happen to every call while it lasts. */
export type TableFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'slow'; readonly ms: number }
  /** No answer, and no end of the connection either. */
  | { readonly kind: 'silent' }
  /** The connection breaks. */
  | { readonly kind: 'unreachable' };

/** What a caller must be allowed: an operation on a table. */
interface Need {
  readonly action: string;
  readonly table: string;
}

type Input = Readonly<Record<string, unknown>>;

/** A transaction needs the actions of its parts. */
const PARTS: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
};

function needsOf(operation: string, input: Input): Need[] {
  if (Array.isArray(input.TransactItems)) {
    return input.TransactItems.flatMap((item: Record<string, { readonly TableName: string }>) =>
      Object.entries(item).map(([part, { TableName }]) => ({ action: PARTS[part] ?? part, table: TableName })),
    );
  }
  if (typeof input.RequestItems === 'object' && input.RequestItems !== null) {
    return Object.keys(input.RequestItems).map((table) => ({ action: operation, table }));
  }
  return [{ action: operation, table: String(input.TableName) }];
}

const json = (status: number, body: object): Reply => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(body),
});

/** A fault that leaves nothing to answer. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly breaks: boolean;

  constructor(breaks: boolean) {
    super('no answer');
    this.breaks = breaks;
  }
}

/** DynamoDB as callers reach it: each call is held against the policy of its signer before it gets to the tables. */
export class TableGate {
  fault: TableFault = { kind: 'none' };
  readonly #db: EmbeddedDynamoDb;

  constructor(db: EmbeddedDynamoDb) {
    this.#db = db;
  }

  /** @throws NoAnswer */
  async answer({ request, arn, demand }: ServiceCall): Promise<Reply> {
    const refusal = await this.#meetFault();
    if (refusal) return refusal;
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    try {
      for (const { action, table } of needsOf(operation, JSON.parse(request.body.toString()))) {
        demand(`dynamodb:${action}`, `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${table}`);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return json(400, {
        __type: 'com.amazon.coral.service#AccessDeniedException',
        Message: `${arn}: ${error.message}`,
      });
    }
    const { response } = await this.#db.requestHandler.handle({ headers: textOf(request.headers), body: request.body });
    return { status: response.statusCode, headers: response.headers, body: response.body };
  }

  async #meetFault(): Promise<Reply | undefined> {
    const { fault } = this;
    if (fault.kind === 'silent' || fault.kind === 'unreachable') throw new NoAnswer(fault.kind === 'unreachable');
    if (fault.kind === 'slow') await sleep(fault.ms);
    if (fault.kind !== 'throttled') return undefined;
    const type = 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException';
    return json(400, { __type: type, message: 'Rate exceeded' });
  }
}

const textOf = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
