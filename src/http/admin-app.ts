import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PoolMismatchError, RegistryUnavailableError } from '../registry/errors.ts';
import type { EntryReader, Precondition, RegistryWriter, WriteOutcome } from '../registry/writer.ts';
import type { ApiVersion, ServiceEntry } from '../serviceentry/service-entry.ts';
import { readObject } from './admin-request.ts';
import type { Credentials } from './credentials.ts';
import { failure, GROUP, OUTCOME_HEADER, rejectionStatus, type Status, success } from './status.ts';

export interface AdminPorts {
  readonly entries: EntryReader;
  readonly writer: RegistryWriter;
  readonly credentials: Credentials;
  /** Deadline of one request, in milliseconds: what a contended write may take. */
  readonly adminTimeoutMs: number;
  /** Told of hosts whose answers may have changed, after the commit. */
  readonly committed?: (hosts: readonly string[]) => void;
  /** Told of faults that the client only sees as an internal error. */
  readonly report?: (error: unknown) => void;
}

const VERSIONS: ReadonlySet<string> = new Set(['v1', 'v1beta1', 'v1alpha3']);

const ALL = `/apis/${GROUP}/:version/serviceentries`;
const COLLECTION = `/apis/${GROUP}/:version/namespaces/:namespace/serviceentries`;
const OBJECT = `${COLLECTION}/:name`;

const sendStatus = (c: Context, status: Status): Response =>
  c.json(status, (status.code ?? 200) as ContentfulStatusCode);

/** Stored once, spoken in whichever version is asked for: the three have the same schema. */
const inVersion = (entry: ServiceEntry, version: string): ServiceEntry => ({
  ...entry,
  apiVersion: `${GROUP}/${version}` as ApiVersion,
});

/** RFC 7234 section 5.5 in Kubernetes' use: code 299, no agent, quoted text. */
function warn(c: Context, warnings: readonly string[]): void {
  for (const warning of warnings) {
    const text = warning.replaceAll(/[\\"]/g, String.raw`\$&`).replaceAll(/[^\x20-\x7e]/g, '?');
    c.header('Warning', `299 - "${text}"`, { append: true });
  }
}

const notFoundStatus = (name: string): Status =>
  rejectionStatus(name, {
    kind: 'rejected',
    reason: 'NotFound',
    message: `serviceentries.${GROUP} "${name}" not found`,
  });

const NO_SUCH_RESOURCE = failure(404, 'NotFound', 'the server could not find the requested resource');

/** The ServiceEntry API in Kubernetes' shape, so that its clients can be pointed at it. */
export function createAdminApp(ports: AdminPorts): Hono {
  const { entries, writer, credentials, adminTimeoutMs, committed, report } = ports;
  const app = new Hono();
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);

  function settle(c: Context, outcome: WriteOutcome, name: string): Response {
    if (outcome.kind === 'rejected') return sendStatus(c, rejectionStatus(name, outcome));
    if (!isDryRun(c)) committed?.(outcome.hosts);
    c.header(OUTCOME_HEADER, outcome.kind);
    if (outcome.kind === 'deleted') return c.json(success(name, outcome.entry.metadata.uid));
    return c.json(inVersion(outcome.entry, c.req.param('version') ?? 'v1'), outcome.kind === 'created' ? 201 : 200);
  }

  async function write(c: Context, precondition: (entry: ServiceEntry) => Precondition | Status): Promise<Response> {
    const read = await readObject(c);
    if ('status' in read) return sendStatus(c, read);
    warn(c, read.warnings);
    const condition = precondition(read.entry);
    if ('status' in condition) return sendStatus(c, condition);
    const outcome = await writer.apply(read.entry, { precondition: condition, dryRun: isDryRun(c) }, deadline());
    return settle(c, outcome, read.entry.metadata.name);
  }

  app.onError((error, c) => {
    if (error instanceof RegistryUnavailableError || error instanceof PoolMismatchError) {
      c.header('Retry-After', '1');
      return sendStatus(c, failure(503, 'ServiceUnavailable', error.message, { retryAfterSeconds: 1 }));
    }
    report?.(error);
    return sendStatus(c, failure(500, 'InternalError', 'Internal error occurred'));
  });

  app.use('/apis/*', async (c, next) => {
    if (credentials.isAdministrator(c.req.header('authorization'))) return next();
    c.header('WWW-Authenticate', 'Bearer realm="meshdoh"');
    return sendStatus(
      c,
      failure(401, 'Unauthorized', 'an administrator token is needed: --token-file, MESHDOH_TOKEN_FILE'),
    );
  });
  app.use(`/apis/${GROUP}/:version/*`, (c, next) =>
    VERSIONS.has(c.req.param('version')) ? next() : Promise.resolve(sendStatus(c, NO_SUCH_RESOURCE)),
  );

  const list = async (c: Context): Promise<Response> => {
    const version = c.req.param('version') ?? 'v1';
    const { items, resourceVersion } = await entries.list(c.req.param('namespace'), deadline());
    return c.json({
      apiVersion: `${GROUP}/${version}`,
      kind: 'ServiceEntryList',
      metadata: { resourceVersion },
      items: items.map((entry) => inVersion(entry, version)),
    });
  };
  app.get(ALL, list);
  app.get(COLLECTION, list);
  app.get(OBJECT, async (c) => {
    const { namespace, name, version } = c.req.param();
    const entry = await entries.get(namespace, name, deadline());
    return entry ? c.json(inVersion(entry, version)) : sendStatus(c, notFoundStatus(name));
  });
  app.post(COLLECTION, (c) => write(c, () => ({ kind: 'absent' })));
  app.put(OBJECT, (c) => write(c, replacePrecondition));
  app.patch(OBJECT, (c) => write(c, applyPrecondition));
  app.delete(OBJECT, async (c) => {
    const { namespace, name } = c.req.param();
    return settle(c, await writer.remove(namespace, name, { dryRun: isDryRun(c) }, deadline()), name);
  });
  app.all('/apis/*', (c) => sendStatus(c, NO_SUCH_RESOURCE));
  return app;
}

const isDryRun = (c: Context): boolean => c.req.query('dryRun') === 'All';

/** A replacement says which version it replaces, or two people overwrite each other. */
function replacePrecondition({ metadata }: ServiceEntry): Precondition | Status {
  if (metadata.resourceVersion === undefined) {
    return failure(
      422,
      'Invalid',
      `serviceentries.${GROUP} "${metadata.name}" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`,
    );
  }
  return { kind: 'present', resourceVersion: metadata.resourceVersion };
}

/**
 * A manifest that names a version conflicts with any later one. One that came from elsewhere, as its uid tells (an
 * export of a cluster, say), names a version of something else.
 */
function applyPrecondition({ metadata: { resourceVersion, uid } }: ServiceEntry): Precondition {
  if (resourceVersion === undefined) return { kind: 'none' };
  return { kind: 'unmodified', resourceVersion, ...(uid === undefined ? {} : { uid }) };
}
