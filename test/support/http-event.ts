import type { HttpEvent, HttpResult } from '../../src/http/lambda-adapter.ts';

export interface EventContent {
  readonly method?: string;
  /** Path and query. */
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Octets come in base64, text as it is. */
  readonly body?: Uint8Array | string;
  /** Whether the gateway has verified a signature. */
  readonly signed?: boolean;
}

const IAM = {
  accessKey: 'ASIAEXAMPLE',
  accountId: '123456789012',
  callerId: 'AROAEXAMPLE:i-0123456789abcdef0',
  cognitoIdentity: null,
  principalOrgId: 'aws:PrincipalOrgID',
  userArn: 'arn:aws:sts::123456789012:assumed-role/vm/i-0123456789abcdef0',
  userId: 'AROAEXAMPLE:i-0123456789abcdef0',
};

function bodyFields(body: Uint8Array | string | undefined): Pick<HttpEvent, 'body' | 'isBase64Encoded'> {
  if (body === undefined) return { isBase64Encoded: false };
  if (typeof body === 'string') return { body, isBase64Encoded: false };
  return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true };
}

/** What an HTTP API sends its function for a request (payload format 2.0). */
export function httpEvent(content: EventContent = {}): HttpEvent {
  const { method = 'GET', target = '/dns-query', headers = {}, body, signed = false } = content;
  const url = new URL(target, 'https://abc123.execute-api.us-east-1.amazonaws.com');
  const rawPath = decodeURIComponent(url.pathname);
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: url.search.slice(1),
    headers: { host: url.host, 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https', ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'abc123',
      ...(signed ? { authorizer: { iam: IAM } } : {}),
      domainName: url.host,
      domainPrefix: 'abc123',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.7', userAgent: 'curl/8.9.1' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: '$default',
      stage: '$default',
      time: '23/Nov/2026:12:00:00 +0000',
      timeEpoch: 1795435200000,
    },
    ...bodyFields(body),
  };
  return event;
}

/** The octets that the gateway sends on. */
export const bodyOf = ({ body, isBase64Encoded }: HttpResult): Buffer =>
  Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
