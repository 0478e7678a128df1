import { mediaTypeOf } from '../http/message.ts';
import { failure, GROUP, OUTCOME_HEADER, type Status } from '../http/status.ts';
import type { EntryList } from '../registry/writer.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, ServerRefusal } from './failure.ts';
import { type HttpCall, type HttpReply, openHttpClient } from './http-client.ts';
import { callPatiently, type Patient } from './patient-call.ts';
import type { Selector } from './selector.ts';
import { type EntryEvent, watchEntries } from './watch.ts';

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

export interface DeleteFlags extends WriteFlags {
  /** Of the entry that is meant: another one that has taken its name since stays. */
  readonly uid?: string | undefined;
}

export interface ListFlags {
  readonly selector?: Selector | undefined;
}

/**
 * The ServiceEntry API from its clients' side. What the server says of one object is a value.
 * Every call throws CommandFailure when it can say nothing of any: unreachable, not authorized, not meshdoh.
 */
export interface AdminClient {
  get(key: EntryKey): Promise<Answered<ServiceEntry>>;
  /** Of all namespaces when `namespace` is absent; sorted by namespace and name. */
  list(namespace: string | undefined, flags?: ListFlags): Promise<readonly ServiceEntry[]>;
  /** What is there, and then each change of it, until `signal` aborts; connects again where the server ends it. */
  watch(namespace: string | undefined, flags: ListFlags, signal: AbortSignal): AsyncGenerator<EntryEvent>;
  apply(target: ApplyTarget, flags: WriteFlags): Promise<Answered<Applied> & { readonly warnings: readonly string[] }>;
  delete(key: EntryKey, flags: DeleteFlags): Promise<Answered<undefined>>;
  close(): void;
}

/** How long to wait for one answer: longer than the server tries a contended write (10 s), so that its reason is heard. */
export const ADMIN_TIMEOUT_MS = 15_000;

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

interface Asked extends Patient {
  readonly answer: Answered<unknown>;
}

const isStatus = (value: unknown): value is Status => isObject(value) && value.kind === 'Status';

const itemPath = ({ namespace, name }: EntryKey, version = 'v1'): string =>
  `${collectionPath(namespace, version)}/${encodeURIComponent(name)}`;

const collectionPath = (namespace: string, version = 'v1'): string =>
  `/apis/${GROUP}/${version}/namespaces/${encodeURIComponent(namespace)}/serviceentries`;

const listPath = (namespace: string | undefined): string =>
  namespace === undefined ? `/apis/${GROUP}/v1/serviceentries` : collectionPath(namespace);

function watchCall(namespace: string | undefined, { selector }: ListFlags, resourceVersion: string): HttpCall {
  const query = new URLSearchParams({
    watch: 'true',
    resourceVersion,
    allowWatchBookmarks: 'true',
    ...(selector ? { labelSelector: selector.text } : {}),
  });
  return { method: 'GET', target: `${listPath(namespace)}?${query}`, headers: { accept: 'application/json' } };
}

/** Kubernetes' DeleteOptions. */
const deleteOptions = (uid: string): Pick<HttpCall, 'headers' | 'body'> => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }),
});

function openAdminClient(connection: Connection): AdminClient {
  const { url, credential } = connection;
  const http = openHttpClient(connection);

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

  async function ask(call: HttpCall): Promise<Asked> {
    const headers = { accept: 'application/json', ...call.headers };
    const { reply, calls } = await callPatiently(http, { ...call, headers });
    const value = readJson(reply);
    if (reply.status >= 200 && reply.status < 300) return { reply, calls, answer: { ok: true, value } };
    if (!isStatus(value)) throw notMeshdoh(reply);
    if (reply.status === 401) throw unauthorized(value);
    return { reply, calls, answer: { ok: false, status: value } };
  }

  function entryIn(value: unknown, reply: HttpReply): ServiceEntry {
    if (isEntry(value)) return value;
    throw notMeshdoh(reply);
  }

  async function list(namespace: string | undefined, { selector }: ListFlags): Promise<EntryList> {
    const query = selector ? `?${new URLSearchParams({ labelSelector: selector.text })}` : '';
    const { reply, answer } = await ask({ method: 'GET', target: `${listPath(namespace)}${query}` });
    if (!answer.ok) throw new ServerRefusal(answer.status);
    const value = isObject(answer.value) ? answer.value : {};
    if (!Array.isArray(value.items)) throw notMeshdoh(reply);
    const { resourceVersion } = isObject(value.metadata) ? value.metadata : {};
    const items = value.items.map((item) => entryIn(item, reply));
    return {
      // Judged here as well: what a selector leaves out must not be deleted, whatever the server makes of selectors.
      items: selector ? items.filter(({ metadata }) => selector.matches(metadata.labels ?? {})) : items,
      resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    };
  }

  return {
    async get(key) {
      const { reply, answer } = await ask({ method: 'GET', target: itemPath(key) });
      return answer.ok ? { ok: true, value: entryIn(answer.value, reply) } : answer;
    },

    list: async (namespace, flags = {}) => (await list(namespace, flags)).items,

    watch: (namespace, flags, signal) =>
      watchEntries({
        signal,
        list: () => list(namespace, flags),
        lines: (resourceVersion) => http.lines(watchCall(namespace, flags, resourceVersion), signal),
        isWanted: ({ metadata }) => flags.selector?.matches(metadata.labels ?? {}) ?? true,
      }),

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

    async delete(key, { dryRun, uid }) {
      const target = `${itemPath(key)}${dryRun ? '?dryRun=All' : ''}`;
      const options = uid === undefined ? {} : deleteOptions(uid);
      const { answer, calls } = await ask({ method: 'DELETE', target, ...options });
      // A server that ran out of time does not know whether it has deleted: what is gone then, it has.
      const isGone = calls > 1 && !dryRun && !answer.ok && answer.status.reason === 'NotFound';
      return answer.ok || isGone ? { ok: true, value: undefined } : answer;
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
