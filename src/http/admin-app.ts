import { type Context, Hono } from 'hono';
import type { EntryReader, Precondition, RegistryWriter, WriteOutcome } from '../registry/writer.ts';
import type { ApiVersion, ServiceEntry } from '../serviceentry/service-entry.ts';
import { readObject } from './admin-request.ts';
import { type ApiPorts, badRequest, guard, isObject, NO_SUCH_RESOURCE, readJson, sendStatus } from './api.ts';
import { readDryRun } from './dry-run.ts';
import { failure, GROUP, OUTCOME_HEADER, rejectionStatus, type Status, success } from './status.ts';

export interface AdminPorts extends ApiPorts {
  readonly entries: EntryReader;
  readonly writer: RegistryWriter;
  /** Told of hosts whose answers may have changed, after the commit. */
  readonly committed?: (hosts: readonly string[]) => void;
}

const VERSIONS: ReadonlySet<string> = new Set(['v1', 'v1beta1', 'v1alpha3']);

const ALL = `/apis/${GROUP}/:version/serviceentries`;
const COLLECTION = `/apis/${GROUP}/:version/namespaces/:namespace/serviceentries`;
const OBJECT = `${COLLECTION}/:name`;

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

interface DeleteOptions {
  readonly dryRun: boolean;
  readonly precondition: Precondition;
}

const textField = (object: unknown, field: string): string | undefined => {
  const value = isObject(object) ? object[field] : undefined;
  return typeof value === 'string' ? value : undefined;
};

/** Kubernetes' DeleteOptions; what says how dependents go has nothing to say here. */
async function readDeleteOptions(c: Context): Promise<DeleteOptions | Status> {
  const read = await readJson(c);
  if ('status' in read) return read;
  const { dryRun: asked, preconditions } = read.body;
  const dryRun = readDryRun(c.req.queries('dryRun'), asked);
  if (typeof dryRun !== 'boolean') return dryRun;
  if (preconditions !== undefined && !isObject(preconditions)) return badRequest('preconditions is not an object');
  const uid = textField(preconditions, 'uid');
  const resourceVersion = textField(preconditions, 'resourceVersion');
  const named = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return { dryRun, precondition: { kind: 'present', ...named } };
}

/** The ServiceEntry API in Kubernetes' shape, so that its clients can be pointed at it. */
export function createAdminApp(ports: AdminPorts): Hono {
  const { entries, writer, adminTimeoutMs, committed } = ports;
  const app = new Hono();
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);

  function settle(c: Context, outcome: WriteOutcome, name: string, dryRun: boolean): Response {
    if (outcome.kind === 'rejected') return sendStatus(c, rejectionStatus(name, outcome));
    if (!dryRun) committed?.(outcome.hosts);
    c.header(OUTCOME_HEADER, outcome.kind);
    if (outcome.kind === 'deleted') return c.json(success(name, outcome.entry.metadata.uid));
    return c.json(inVersion(outcome.entry, c.req.param('version') ?? 'v1'), outcome.kind === 'created' ? 201 : 200);
  }

  async function write(c: Context, preconditionOf: (entry: ServiceEntry) => Precondition | Status): Promise<Response> {
    const dryRun = readDryRun(c.req.queries('dryRun'), undefined);
    if (typeof dryRun !== 'boolean') return sendStatus(c, dryRun);
    const read = await readObject(c);
    if ('status' in read) return sendStatus(c, read);
    warn(c, read.warnings);
    const precondition = preconditionOf(read.entry);
    if ('status' in precondition) return sendStatus(c, precondition);
    const outcome = await writer.apply(read.entry, { precondition, dryRun }, deadline());
    return settle(c, outcome, read.entry.metadata.name, dryRun);
  }

  async function remove(c: Context): Promise<Response> {
    const { namespace = '', name = '' } = c.req.param();
    const options = await readDeleteOptions(c);
    if ('status' in options) return sendStatus(c, options);
    return settle(c, await writer.remove(namespace, name, options, deadline()), name, options.dryRun);
  }

  guard(app, '/apis', ports);
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
  app.delete(OBJECT, remove);
  app.all('/apis/*', (c) => sendStatus(c, NO_SUCH_RESOURCE));
  return app;
}

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
