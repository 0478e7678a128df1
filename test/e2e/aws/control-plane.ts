import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { ACCOUNT } from './account.ts';
import type { Cloud } from './cloud.ts';
import { type CloudFormation, queryReply } from './cloudformation.ts';
import { accessDenied, Refusal } from './refusal.ts';
import type { Reply, ServiceCall } from './service.ts';
import { type SignedRequest, verifySignature } from './signature.ts';
import { NoAnswer, type TableGate } from './table-gate.ts';
import { toXml } from './xml.ts';

export interface Services {
  readonly cloud: Cloud;
  readonly cloudFormation: CloudFormation;
  readonly tables: TableGate;
  readonly now: () => number;
}

/** Lambda's own API, which a deployment asks whether code has changed. */
function describeFunction({ lambda }: Cloud, { request, demand }: ServiceCall): Reply {
  const name = /^\/2015-03-31\/functions\/([^/?]+)$/.exec(request.target)?.[1];
  if (name === undefined || request.method !== 'GET') throw new Refusal(501, 'NotImplemented', request.target);
  demand('lambda:GetFunction', `arn:aws:lambda:us-east-1:${ACCOUNT}:function:${name}`);
  const { CodeSha256 } = lambda.describe(name);
  const Configuration = { FunctionName: name, CodeSha256, LastModified: new Date(0).toISOString() };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ Configuration }) };
}

function answerEcr({ demand }: ServiceCall): Reply {
  demand('ecr:DescribeRepositories', `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/*`);
  throw new Refusal(400, 'RepositoryNotFoundException', 'there are no repositories');
}

const identityOf = (arn: string): Reply =>
  queryReply('GetCallerIdentity', { Arn: arn, UserId: 'AIDAEXAMPLE', Account: ACCOUNT });

function errorOf(refusal: Refusal, service: string): Reply {
  const { status, code, message } = refusal;
  if (service === 's3') return xml(status, `<Error>${toXml({ Code: code, Message: message })}</Error>`);
  if (service === 'lambda' || service === 'ecr') {
    const headers = { 'content-type': 'application/json', 'x-amzn-errortype': code };
    return { status, headers, body: JSON.stringify({ __type: code, message }) };
  }
  const error = { Error: { Type: 'Sender', Code: code, Message: message }, RequestId: '1' };
  return xml(status, toXml({ ErrorResponse: error }));
}

const xml = (status: number, body: string): Reply => ({ status, headers: { 'content-type': 'text/xml' }, body });

/** The endpoint of all services of the account: the signature names the one that is meant. */
export class ControlPlane {
  readonly #services: Services;
  readonly #server: http.Server;
  readonly #forgotten = new WeakSet<Socket>();
  readonly #sockets = new Set<Socket>();
  /** Requests that came over connections which nobody knows any more. */
  lost = 0;

  constructor(services: Services) {
    this.#services = services;
    this.#server = http.createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  /** As the network forgets connections that nobody uses: no word of an end, and no answer to what comes over them. */
  forgetConnections(): void {
    for (const socket of this.#sockets) this.#forgotten.add(socket);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#forgotten.has(incoming.socket)) {
      this.lost++;
      return;
    }
    const { method = '', url = '/', headers } = incoming;
    const request: SignedRequest = { method, target: url, headers, body: await buffer(incoming) };
    try {
      const reply = await this.#answer(request);
      // The SDK sets its clock by ours.
      const date = new Date(this.#services.now()).toUTCString();
      response.sendDate = false;
      response.writeHead(reply.status, { date, ...reply.headers }).end(method === 'HEAD' ? undefined : reply.body);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (error.breaks) incoming.socket.destroy();
    }
  }

  async #answer(request: SignedRequest): Promise<Reply> {
    const { cloud, now } = this.#services;
    const verified = verifySignature(request, cloud.account.keys, now());
    if (!verified.ok) return errorOf(new Refusal(403, verified.code, verified.reason), serviceIn(request));
    const { arn } = verified.key;
    const call: ServiceCall = {
      request,
      arn,
      demand: (action, resource, context) => cloud.account.demand(arn, action, resource, context),
    };
    try {
      return await this.#dispatch(verified.service, call);
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'InternalFailure', String(error));
      return errorOf(refusal, verified.service);
    }
  }

  #dispatch(service: string, call: ServiceCall): Reply | Promise<Reply> {
    const { cloud, cloudFormation, tables } = this.#services;
    switch (service) {
      case 'dynamodb':
        return tables.answer(call);
      case 's3':
        return cloud.storage.answer(call);
      case 'cloudformation':
        return cloudFormation.answer(call);
      case 'sts':
        return identityOf(call.arn);
      case 'lambda':
        return describeFunction(cloud, call);
      case 'ecr':
        return answerEcr(call);
      default:
        throw accessDenied(call.arn, `${service}:*`, '*');
    }
  }
}

const serviceIn = ({ headers }: SignedRequest): string =>
  /Credential=[^/]+\/[^/]+\/[^/]+\/([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? '';
