import { embeddedClient, openEmbeddedDynamoDb } from '../../../src/embedded/embedded-dynamodb.ts';
import { type Certificate, createCertificate } from '../../support/certificate.ts';
import { Account, REGION } from './account.ts';
import type { Cloud } from './cloud.ts';
import { CloudFormation } from './cloudformation.ts';
import { ControlPlane } from './control-plane.ts';
import { Edge, type Front } from './edge.ts';
import { Lambda } from './lambda.ts';
import { ObjectStorage } from './object-storage.ts';
import type { AccessKey } from './signature.ts';
import { TableGate } from './table-gate.ts';

/** An AWS account on loopback, for one Region: what a deployment of meshdoh makes there runs. */
export interface LoopbackAws extends Cloud {
  /** Of all services: `AWS_ENDPOINT_URL`. */
  readonly url: string;
  /** The authority of the certificates of front doors. */
  readonly certificate: Certificate;
  readonly cloudFormation: CloudFormation;
  /** DynamoDB as functions reach it. */
  readonly gate: TableGate;
  /** The URL at which clients here reach an HTTP API or a function URL. */
  open(front: Front): Promise<string>;
  /** What a process needs in its environment to be this user or role. */
  environmentOf(key: AccessKey): Record<string, string>;
  /** All clocks of the account and its functions go forward. */
  passTime(ms: number): void;
  /** Connections to the services lead nowhere any more, as after a while without traffic. */
  forgetConnections(): void;
  /** Requests that came over such connections so far. */
  readonly lostRequests: () => number;
  /** As EventBridge does at the time of a rule. */
  runSchedules(): Promise<void>;
  close(): Promise<void>;
}

/** `upstreamCa`: PEM of the authority that functions trust upstreams by. */
export async function startLoopbackAws(upstreamCa: string): Promise<LoopbackAws> {
  const db = await openEmbeddedDynamoDb();
  const clock = new Float64Array(new SharedArrayBuffer(8));
  const now = () => Date.now() + (clock[0] ?? 0);
  const account = new Account();
  const variables: Record<string, string> = {};
  const lambda = new Lambda({ account, clock, ca: upstreamCa, variables });
  const cloud: Cloud = {
    account,
    storage: new ObjectStorage(),
    tables: embeddedClient(db),
    protectedTables: new Set(),
    lambda,
    httpApis: new Map(),
    functionUrls: new Map(),
    schedules: new Map(),
  };
  const cloudFormation = new CloudFormation(cloud);
  const gate = new TableGate(db);
  const controlPlane = new ControlPlane({ cloud, cloudFormation, tables: gate, now });
  const url = await controlPlane.listen();
  variables.AWS_ENDPOINT_URL_DYNAMODB = url;
  const certificate = createCertificate();
  const edges: Edge[] = [];
  return {
    ...cloud,
    url,
    certificate,
    cloudFormation,
    gate,
    open(front) {
      const edge = new Edge(front, cloud, certificate, now);
      edges.push(edge);
      return edge.listen();
    },
    environmentOf: ({ id, secret, sessionToken }) => ({
      AWS_ENDPOINT_URL: url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: id,
      AWS_SECRET_ACCESS_KEY: secret,
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
      AWS_EC2_METADATA_DISABLED: 'true',
    }),
    passTime(ms) {
      clock[0] = (clock[0] ?? 0) + ms;
    },
    forgetConnections: () => controlPlane.forgetConnections(),
    lostRequests: () => controlPlane.lost,
    async runSchedules() {
      for (const { ruleArn, functionArn } of cloud.schedules.values()) {
        const invoker = { action: 'lambda:InvokeFunction', principal: 'events.amazonaws.com', sourceArn: ruleArn };
        const event = { source: 'aws.events', 'detail-type': 'Scheduled Event', resources: [ruleArn], detail: {} };
        const outcome = await lambda.invoke(functionArn.split(':').at(-1) ?? '', event, invoker);
        if (outcome.kind === 'fault') throw new Error(`the schedule failed: ${JSON.stringify(outcome.error)}`);
      }
    },
    async close() {
      for (const edge of edges) edge.close();
      await lambda.close();
      await controlPlane.close();
      await db.close();
    },
  };
}
