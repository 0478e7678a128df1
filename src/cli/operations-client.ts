import { mediaTypeOf } from '../http/message.ts';
import type { Status } from '../http/status.ts';
import type { FsckPart, FsckRequest } from '../registry/fsck-report.ts';
import type { PoolReport, VipReport } from '../registry/operations.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, ServerRefusal } from './failure.ts';
import { type HttpCall, type HttpReply, openHttpClient } from './http-client.ts';
import { callPatiently } from './patient-call.ts';

/** The operations API from its clients' side. Every call throws CommandFailure for what the server does not answer. */
export interface OperationsClient {
  pools(): Promise<readonly PoolReport[]>;
  vip(address: string): Promise<VipReport>;
  vipOfHost(namespace: string, host: string): Promise<VipReport>;
  fsck(request: FsckRequest): Promise<FsckPart>;
  /** What a call for JSON answers; `T` is what the server of this version says. */
  ask<T>(call: HttpCall): Promise<T>;
  close(): void;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function openOperationsClient(connection: Connection): OperationsClient {
  const http = openHttpClient(connection);

  function readJson({ status, headers, body }: HttpReply): Record<string, unknown> {
    if (status >= 400 && mediaTypeOf(headers['content-type'] ?? '') === 'text/plain') {
      const said = body.toString('utf8').split('\n', 1)[0]?.slice(0, 200);
      throw new CommandFailure(`${connection.url.href} answers HTTP ${status}: ${said}`);
    }
    try {
      const value: unknown = JSON.parse(body.toString('utf8'));
      if (isObject(value)) return value;
    } catch {
      // Told below: whatever it is, it is no answer of ours.
    }
    throw new CommandFailure(
      `${connection.url.href} answers HTTP ${status}, and not as meshdoh: is it a meshdoh server of this version?`,
    );
  }

  async function ask<T>(call: HttpCall): Promise<T> {
    const headers = { accept: 'application/json', ...call.headers };
    const { reply } = await callPatiently(http, { ...call, headers });
    const value = readJson(reply);
    if (reply.status === 200 || reply.status === 201) return value as T;
    throw new ServerRefusal(value as unknown as Status);
  }

  return {
    ask,
    pools: async () =>
      (await ask<{ readonly items: readonly PoolReport[] }>({ method: 'GET', target: '/v1/pools' })).items,
    vip: (address) => ask({ method: 'GET', target: `/v1/vips/${encodeURIComponent(address)}` }),
    vipOfHost: (namespace, host) =>
      ask({ method: 'GET', target: `/v1/vips?${new URLSearchParams({ namespace, host })}` }),
    fsck: ({ repair, continue: token }) =>
      ask({
        method: 'POST',
        target: `/v1/fsck${repair ? '?repair=true' : ''}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(token === undefined ? {} : { continue: token }),
      }),
    close: () => http.close(),
  };
}

export async function withOperationsClient(
  connection: Connection,
  use: (client: OperationsClient) => Promise<void>,
): Promise<void> {
  const client = openOperationsClient(connection);
  try {
    await use(client);
  } finally {
    client.close();
  }
}
