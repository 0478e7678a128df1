import type { Context } from 'hono';
import type { EntryReader, Precondition, RegistryWriter, WriteOutcome } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { sendStatus } from '../api.ts';
import { readDryRun } from '../dry-run.ts';
import { OUTCOME_HEADER, rejectionStatus, type Status, success } from '../status.ts';
import { deleteCollection } from './delete-collection.ts';
import { readDeleteOptions } from './delete-options.ts';
import { JSON_PATCH, MERGE_PATCH, patchEntry } from './entry-patch.ts';
import { bodyType, OBJECT_TYPES, readEntry, readValue, unsupportedMediaType } from './entry-request.ts';
import { readSelection } from './list-query.ts';
import { applyPrecondition, replacePrecondition } from './preconditions.ts';
import { chooseRepresentation, type Representation } from './representation.ts';
import { warn } from './warning.ts';

export interface WritePorts {
  readonly entries: EntryReader;
  readonly writer: RegistryWriter;
  /** Deadline of one request, in milliseconds: what a contended write may take. */
  readonly adminTimeoutMs: number;
  /** Told of hosts whose answers may have changed, after the commit. */
  readonly committed?: (hosts: readonly string[]) => void;
  readonly now?: () => number;
}

type Handler = (c: Context) => Promise<Response>;
type PreconditionOf = (entry: ServiceEntry) => Precondition | Status;

/** Server-side apply by one manager: the object given is the object that shall be. */
const APPLY_PATCH = 'application/apply-patch+yaml';
const PATCH_TYPES = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH];

/** How a write is to be done, and told. */
interface Asked {
  readonly dryRun: boolean;
  readonly representation: Representation;
}

/** What every write with a body says; all of it is judged before anything is written. */
async function readAsked(c: Context, now: () => number): Promise<(Asked & { readonly value: unknown }) | Status> {
  const representation = chooseRepresentation(c, now);
  if ('status' in representation) return representation;
  const dryRun = readDryRun(c.req.queries('dryRun'), undefined);
  if (typeof dryRun !== 'boolean') return dryRun;
  const body = await readValue(c);
  return 'status' in body ? body : { dryRun, representation, value: body.value };
}

/** create, update, patch, delete and deletecollection. */
export function createWriteVerbs(
  ports: WritePorts,
): Readonly<Record<'create' | 'replace' | 'patch' | 'remove' | 'removeAll', Handler>> {
  const { writer, adminTimeoutMs, committed, now = Date.now } = ports;
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);

  function settle(c: Context, outcome: WriteOutcome, name: string, asked: Asked): Response {
    if (outcome.kind === 'rejected') return sendStatus(c, rejectionStatus(name, outcome));
    if (!asked.dryRun) committed?.(outcome.hosts);
    c.header(OUTCOME_HEADER, outcome.kind);
    if (outcome.kind === 'deleted') return c.json(success(name, outcome.entry.metadata.uid));
    return c.json(asked.representation.one(outcome.entry), outcome.kind === 'created' ? 201 : 200);
  }

  /** Writes the object in the body. */
  async function put(c: Context, preconditionOf: PreconditionOf): Promise<Response> {
    const asked = await readAsked(c, now);
    if ('status' in asked) return sendStatus(c, asked);
    const read = readEntry(c, asked.value);
    if ('status' in read) return sendStatus(c, read);
    warn(c, read.warnings);
    const precondition = preconditionOf(read.entry);
    if ('status' in precondition) return sendStatus(c, precondition);
    const outcome = await writer.apply(read.entry, { precondition, dryRun: asked.dryRun }, deadline());
    return settle(c, outcome, read.entry.metadata.name, asked);
  }

  const writing =
    (preconditionOf: PreconditionOf): Handler =>
    async (c) =>
      OBJECT_TYPES.includes(bodyType(c)) ? put(c, preconditionOf) : sendStatus(c, unsupportedMediaType(OBJECT_TYPES));

  return {
    create: writing(() => ({ kind: 'absent' })),
    replace: writing(replacePrecondition),

    async patch(c) {
      const type = bodyType(c);
      if (type === APPLY_PATCH) return put(c, applyPrecondition);
      if (!PATCH_TYPES.includes(type)) return sendStatus(c, unsupportedMediaType(PATCH_TYPES));
      const asked = await readAsked(c, now);
      if ('status' in asked) return sendStatus(c, asked);
      const { dryRun } = asked;
      const result = await patchEntry(c, ports, { type, patch: asked.value, dryRun }, deadline());
      if ('status' in result) return sendStatus(c, result);
      warn(c, result.warnings);
      return settle(c, result.outcome, result.entry.metadata.name, asked);
    },

    async remove(c) {
      const { namespace = '', name = '' } = c.req.param();
      const representation = chooseRepresentation(c, now);
      if ('status' in representation) return sendStatus(c, representation);
      const options = await readDeleteOptions(c);
      if ('status' in options) return sendStatus(c, options);
      const outcome = await writer.remove(namespace, name, options, deadline());
      return settle(c, outcome, name, { dryRun: options.dryRun, representation });
    },

    async removeAll(c) {
      const representation = chooseRepresentation(c, now);
      if ('status' in representation) return sendStatus(c, representation);
      const selection = readSelection(c);
      if ('status' in selection) return sendStatus(c, selection);
      const options = await readDeleteOptions(c);
      if ('status' in options) return sendStatus(c, options);
      const { items, hosts, resourceVersion, refused } = await deleteCollection(ports, selection, options, deadline());
      if (!options.dryRun) committed?.(hosts);
      return refused ? sendStatus(c, refused) : c.json(representation.list(items, { resourceVersion }));
    },
  };
}
