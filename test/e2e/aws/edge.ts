import http2, { type Http2ServerRequest, type Http2ServerResponse, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Certificate } from '../../support/certificate.ts';
import { ACCOUNT, REGION } from './account.ts';
import type { Cloud } from './cloud.ts';
import { functionArn, type Invoker } from './lambda.ts';
import type { Reply } from './service.ts';
import { type AccessKey, type SignedRequest, verifySignature } from './signature.ts';

/** Where a request goes, and by whose leave. */
interface Destination {
  readonly functionName: string;
  readonly routeKey: string;
  readonly invoker: Invoker | 'authorized';
  readonly caller?: AccessKey;
  /** Of HTTP APIs; function URLs leave it as it came. */
  readonly decodesPath: boolean;
}

export type Front =
  | { readonly kind: 'httpApi'; readonly id: string }
  | { readonly kind: 'functionUrl'; readonly id: string };

const message = (status: number, text: string): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: text }),
});
const FORBIDDEN = message(403, 'Forbidden');
const FAILED = message(500, 'Internal Server Error');

/** What a gateway takes for text; it encodes every other body. */
const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded)\b)/;
const PRIVATE_FIELDS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'http2-settings']);

function fieldsOf(headers: IncomingHttpHeaders, host: string): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':') && !PRIVATE_FIELDS.has(name));
  const fields = own.map(([name, value]) => [name, [value].flat().join(',')]);
  return { ...Object.fromEntries(fields), host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' };
}

/** What an HTTP API says of a caller whose signature is good. */
const iamOf = ({ id, arn }: AccessKey) => ({
  accessKey: id,
  accountId: ACCOUNT,
  callerId: `AROAEXAMPLE:${arn.split('/').at(-1)}`,
  cognitoIdentity: null,
  principalOrgId: null,
  userArn: arn,
  userId: `AROAEXAMPLE:${arn.split('/').at(-1)}`,
});

/** An event of payload format 2.0. */
function eventOf(request: SignedRequest, { caller, routeKey, decodesPath }: Destination, now: number): object {
  const [path = '', rawQueryString = ''] = request.target.split(/\?(.*)/s, 2);
  const host = String(request.headers[':authority'] ?? request.headers.host);
  const fields = fieldsOf(request.headers, host);
  const rawPath = decodesPath ? decodeURIComponent(path) : path;
  const isText = TEXT.test(fields['content-type'] ?? '');
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    headers: fields,
    requestContext: {
      accountId: ACCOUNT,
      apiId: host,
      ...(caller ? { authorizer: { iam: iamOf(caller) } } : {}),
      domainName: host,
      domainPrefix: host,
      http: { method: request.method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey,
      stage: '$default',
      time: new Date(now).toISOString(),
      timeEpoch: now,
    },
    ...(request.body.length === 0 ? {} : { body: request.body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: request.body.length > 0 && !isText,
  };
}

interface Result {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** A front door on a socket of its own, with TLS: HTTP/2 and HTTP/1.1, as an HTTP API speaks to clients. */
export class Edge {
  readonly front: Front;
  readonly #cloud: Cloud;
  readonly #now: () => number;
  readonly #server: http2.Http2SecureServer;

  constructor(front: Front, cloud: Cloud, certificate: Certificate, now: () => number) {
    this.front = front;
    this.#cloud = cloud;
    this.#now = now;
    const { cert, key } = certificate;
    this.#server = http2.createSecureServer({ cert, key, allowHTTP1: true });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
  }

  async listen(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
  }

  async #serve(incoming: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const { method, url, headers } = incoming;
    const request: SignedRequest = { method, target: url, headers, body: await buffer(incoming) };
    const reply = await this.#answer(request);
    response.writeHead(reply.status, reply.headers);
    response.end(method === 'HEAD' ? '' : reply.body);
  }

  async #answer(request: SignedRequest): Promise<Reply> {
    const destination = this.#destination(request);
    if ('status' in destination) return destination;
    const event = eventOf(request, destination, this.#now());
    const outcome = await this.#cloud.lambda.invoke(destination.functionName, event, destination.invoker);
    if (outcome.kind === 'fault' || outcome.result === undefined) return FAILED;
    const { statusCode, headers = {}, body = '', isBase64Encoded = false } = JSON.parse(outcome.result) as Result;
    if (!Number.isInteger(statusCode)) return FAILED;
    return { status: statusCode, headers, body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8') };
  }

  #destination(request: SignedRequest): Destination | Reply {
    return this.front.kind === 'httpApi' ? this.#route(request) : this.#functionUrl(request);
  }

  #route(request: SignedRequest): Destination | Reply {
    const api = this.#cloud.httpApis.get(this.front.id);
    const [path = ''] = request.target.split('?', 1);
    const route = api?.routeFor(request.method, decodeURIComponent(path));
    if (!route) return message(404, 'Not Found');
    const arn = `arn:aws:execute-api:${REGION}:${ACCOUNT}:${this.front.id}`;
    const destination: Destination = {
      functionName: route.functionName,
      routeKey: route.key,
      invoker: {
        action: 'lambda:InvokeFunction',
        principal: 'apigateway.amazonaws.com',
        sourceArn: `${arn}/$default/${path}`,
      },
      decodesPath: true,
    };
    if (route.authorization === 'NONE') return destination;
    const caller = this.#caller(request, 'execute-api');
    const isAllowed =
      caller &&
      this.#cloud.account.isAllowed(caller.arn, 'execute-api:Invoke', `${arn}/$default/${request.method}${path}`);
    return isAllowed ? { ...destination, caller } : FORBIDDEN;
  }

  #functionUrl(request: SignedRequest): Destination | Reply {
    const url = this.#cloud.functionUrls.get(this.front.id);
    if (!url) return FORBIDDEN;
    const destination = { functionName: url.functionName, routeKey: '$default', decodesPath: false };
    if (url.authType === 'NONE') {
      return { ...destination, invoker: { action: 'lambda:InvokeFunctionUrl', principal: '*' } };
    }
    const caller = this.#caller(request, 'lambda');
    const isAllowed =
      caller && this.#cloud.account.isAllowed(caller.arn, 'lambda:InvokeFunctionUrl', functionArn(url.functionName));
    return isAllowed ? { ...destination, invoker: 'authorized', caller } : FORBIDDEN;
  }

  #caller(request: SignedRequest, service: string): AccessKey | undefined {
    const verified = verifySignature(request, this.#cloud.account.keys, this.#now());
    return verified.ok && verified.service === service ? verified.key : undefined;
  }
}
