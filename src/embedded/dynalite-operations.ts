import { createRequire } from 'node:module';
import type { Callback, Store } from 'dynalite/db/index.js';
import validations from 'dynalite/validations/index.js';
import { storeOptions } from './level-layout.ts';
import { asServiceError, type ServiceError, serializationError } from './service-error.ts';

/** An operation's input or output in DynamoDB's JSON form (binary values in base64). */
export type WireObject = Record<string, unknown>;

interface Operation {
  readonly action: (store: Store, data: WireObject, callback: Callback<WireObject>) => void;
  readonly rules: { readonly types: object; readonly custom?: unknown };
}

const names = [
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeTable',
  'DescribeTimeToLive',
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'PutItem',
  'Query',
  'Scan',
  'TagResource',
  'UntagResource',
  'UpdateItem',
  'UpdateTable',
] as const;

export type OperationName = (typeof names)[number];

const require = createRequire(import.meta.url);
const operations = Object.fromEntries(names.map((name) => [name, load(name)])) as Record<OperationName, Operation>;

function load(name: OperationName): Operation {
  const file = name.charAt(0).toLowerCase() + name.slice(1);
  return { action: require(`dynalite/actions/${file}`), rules: require(`dynalite/validations/${file}`) };
}

export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}

export function actionOf(name: OperationName): Operation['action'] {
  return operations[name].action;
}

/**
 * Checks an input as dynalite does before it acts and parses its expressions.
 * Throws a ServiceError for whatever DynamoDB would refuse without looking at the table.
 */
export function checkInput<Data extends object = WireObject>(name: OperationName, input: object): Data {
  const { types, custom } = operations[name].rules;
  try {
    const data = validations.checkTypes({ ...input }, types);
    validations.checkValidations(data, types, custom, { options: storeOptions });
    return data as Data;
  } catch (error) {
    throw asServiceError(error) ?? malformed(error);
  }
}

/** dynalite throws a TypeError where a value is null or nested beyond reason. */
function malformed(error: unknown): ServiceError {
  const refusal = serializationError('The request is malformed');
  refusal.cause = error;
  return refusal;
}
