import { setTimeout as sleep } from 'node:timers/promises';
import { mediaTypeOf } from '../http/message.ts';
import { failure, GROUP, OUTCOME_HEADER, type Status } from '../http/status.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, ServerRefusal } from './failure.ts';
import { type HttpCall, type HttpReply, openHttpClient } from './http-client.ts';

export interface EntryKey {
  readonly namespace: string;
  readonly name: string;
}

export type Answered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly status: Status };

export interface Applied {
  readonly outcome: 'created' | 'configured' | 'unchanged';
  readonly entry: ServiceEntry;
}

export interface ApplyTarget extends EntryKey {
  /** `v1`, `v1beta1` or `v1alpha3`. */
  readonly version: string;
  readonly value: unknown;
}

export interface WriteFlags {
  /** The server judges the write, and commits nothing. */
  readonly dryRun: boolean;
}

/**
 * The ServiceEntry API from its clients' side. What the server says of one object is a value.
 * Every call throws CommandFailure when it can say nothing of any: unreachable, not authorized, not meshdoh.
 */
export interface AdminClient {
  get(key: EntryKey): Promise<Answered<ServiceEntry>>;
  /** Of all namespaces when `namespace` is absent; sorted by namespace and name. */
  list(namespace: string | undefined): Promise<readonly ServiceEntry[]>;
  apply(target: ApplyTarget, flags: WriteFlags): Promise<Answered<Applied> & { readonly warnings: readonly string[] }>;
  delete(key: EntryKey, flags: WriteFlags): Promise<Answered<undefined>>;
  close(): void;
}

/** How long to wait for one answer: longer than the server tries a contended write (10 s), so that its reason is heard. */
export const ADMIN_TIMEOUT_MS = 15_000;

/** Calls of one request while the server has no time for it; it says when to come again. */
const MAX_CALLS = 4;
const MAX_RETRY_AFTER_SECONDS = 5;

const WARNING = /299 \S+ "((?:[^"\\]|\\.)*)"/g;

/** RFC 7234 section 5.5, as the admin API sends it. */
const warningsOf = ({ headers }: HttpReply): string[] =>
  [...(headers.warning ?? '').matchAll(WARNING)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));

const OUTCOMES: ReadonlySet<unknown> = new Set(['created', 'configured', 'unchanged']);

function outcomeOf({ status, headers }: HttpReply): Applied['outcome'] {
  const told = headers[OUTCOME_HEADER];
  if (OUTCOMES.has(told)) return told as Applied['outcome'];
  return status === 201 ? 'created' : 'configured';
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isEntry = (value: unknown): value is ServiceEntry =>
  isObject(value) &&
  value.kind === 'ServiceEntry' &&
  isObject(value.metadata) &&
  typeof value.metadata.name === 'string' &&
  isObject(value.spec) &&
  Array.isArray(value.spec.hosts);

const isStatus = (value: unknown): value is Status => isObject(value) && value.kind === 'Status';

function retryAfterMs({ status, headers }: HttpReply): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  const again = (status === 429 || status === 503) && seconds >= 0;
  return again ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000 : undefined;
}

const itemPath = ({ namespace, name }: EntryKey, version = 'v1'): string =>
  `${collectionPath(namespace, version)}/${encodeURIComponent(name)}`;

const collectionPath = (namespace: string, version = 'v1'): string =>
  `/apis/${GROUP}/${version}/namespaces/${encodeURIComponent(namespace)}/serviceentries`;

export function openAdminClient(connection: Connection): AdminClient {
  const { url, credential } = connection;
  const http = openHttpClient(connection);

  async function callPatiently(call: HttpCall): Promise<HttpReply> {
    for (let calls = 1; ; calls++) {
      const reply = await http.call(call);
      const waitMs = retryAfterMs(reply);
      if (waitMs === undefined || calls === MAX_CALLS) return reply;
      await sleep(waitMs);
    }
  }

  function notMeshdoh({ status, headers, body }: HttpReply): CommandFailure {
    const isText = mediaTypeOf(headers['content-type'] ?? '') === 'text/plain';
    const said = isText ? `: ${body.toString('utf8').split('\n', 1)[0]?.slice(0, 200)}` : '';
    return new CommandFailure(
      `${url.href} answers HTTP ${status}${said}, and not as the ServiceEntry API: is it a meshdoh server?`,
    );
  }

  function readJson(reply: HttpReply): unknown {
    try {
      return JSON.parse(reply.body.toString('utf8'));
    } catch {
      throw notMeshdoh(reply);
    }
  }

  function unauthorized(status: Status): ServerRefusal {
    if (!credential) return new ServerRefusal(status);
    return new ServerRefusal(failure(401, 'Unauthorized', `the token of ${credential.origin} is not accepted`));
  }

  async function ask(call: HttpCall): Promise<{ readonly reply: HttpReply; readonly answer: Answered<unknown> }> {
    const reply = await callPatiently({ ...call, headers: { accept: 'application/json', ...call.headers } });
    const value = readJson(reply);
    if (reply.status >= 200 && reply.status < 300) return { reply, answer: { ok: true, value } };
    if (!isStatus(value)) throw notMeshdoh(reply);
    if (reply.status === 401) throw unauthorized(value);
    return { reply, answer: { ok: false, status: value } };
  }

  function entryIn(value: unknown, reply: HttpReply): ServiceEntry {
    if (isEntry(value)) return value;
    throw notMeshdoh(reply);
  }

  return {
    async get(key) {
      const { reply, answer } = await ask({ method: 'GET', target: itemPath(key) });
      return answer.ok ? { ok: true, value: entryIn(answer.value, reply) } : answer;
    },

    async list(namespace) {
      const target = namespace === undefined ? `/apis/${GROUP}/v1/serviceentries` : collectionPath(namespace);
      const { reply, answer } = await ask({ method: 'GET', target });
      if (!answer.ok) throw new ServerRefusal(answer.status);
      const items = isObject(answer.value) ? answer.value.items : undefined;
      if (!Array.isArray(items)) throw notMeshdoh(reply);
      return items.map((item) => entryIn(item, reply));
    },

    async apply(target, { dryRun }) {
      const query = `?fieldManager=meshdoh&force=true${dryRun ? '&dryRun=All' : ''}`;
      const { reply, answer } = await ask({
        method: 'PATCH',
        target: `${itemPath(target, target.version)}${query}`,
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: JSON.stringify(target.value),
      });
      const warnings = warningsOf(reply);
      if (!answer.ok) return { ...answer, warnings };
      return { ok: true, value: { outcome: outcomeOf(reply), entry: entryIn(answer.value, reply) }, warnings };
    },

    async delete(key, { dryRun }) {
      const target = `${itemPath(key)}${dryRun ? '?dryRun=All' : ''}`;
      const { answer } = await ask({ method: 'DELETE', target });
      return answer.ok ? { ok: true, value: undefined } : answer;
    },

    close: () => http.close(),
  };
}

export async function withAdminClient(
  connection: Connection,
  use: (client: AdminClient) => Promise<void>,
): Promise<void> {
  const client = openAdminClient(connection);
  try {
    await use(client);
  } finally {
    client.close();
  }
}
