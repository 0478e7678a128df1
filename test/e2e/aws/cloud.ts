import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Account } from './account.ts';
import type { HttpApi } from './http-api.ts';
import type { Lambda } from './lambda.ts';
import type { ObjectStorage } from './object-storage.ts';

/** A function behind a URL of its own. */
export interface FunctionUrl {
  readonly functionName: string;
  readonly authType: 'NONE' | 'AWS_IAM';
}

export interface Schedule {
  readonly ruleArn: string;
  readonly functionArn: string;
}

/** What there is in the account, as its services see it. */
export interface Cloud {
  readonly account: Account;
  readonly storage: ObjectStorage;
  /** Of the service itself, which nobody's policy stands in the way of. */
  readonly tables: DynamoDBClient;
  readonly protectedTables: Set<string>;
  readonly lambda: Lambda;
  readonly httpApis: Map<string, HttpApi>;
  readonly functionUrls: Map<string, FunctionUrl>;
  readonly schedules: Map<string, Schedule>;
}
