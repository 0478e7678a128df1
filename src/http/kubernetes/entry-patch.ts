import type { Context } from 'hono';
import type { EntryReader, RegistryWriter, WriteOutcome } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { badRequest, isObject } from '../api.ts';
import { failure, type Status } from '../status.ts';
import { type ReadEntry, readEntry } from './entry-request.ts';
import { jsonPatch } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import { inVersion, notFound } from './resource.ts';

export const MERGE_PATCH = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';

/** As often as Kubernetes takes a patch again to an object that changed meanwhile. */
const TRIES = 5;

/** The object as the patch would have it. */
function patched(current: ServiceEntry, type: string, patch: unknown): { readonly value: unknown } | Status {
  if (type === MERGE_PATCH)
    return isObject(patch) ? { value: mergePatch(current, patch) } : badRequest('a merge patch is an object');
  const result = jsonPatch(structuredClone(current), patch);
  if (result.kind === 'patched') return result;
  return result.kind === 'malformed'
    ? badRequest(result.problem)
    : failure(422, 'Invalid', `the server rejected our request due to an error in our request: ${result.problem}`);
}

export interface PatchPorts {
  readonly entries: EntryReader;
  readonly writer: RegistryWriter;
}

export interface PatchRequest {
  readonly type: string;
  readonly patch: unknown;
  readonly dryRun: boolean;
}

export type PatchResult = Status | (ReadEntry & { readonly outcome: WriteOutcome });

/**
 * Reads, changes and replaces: again, when somebody else came in between, unless the patch itself names the version
 * that it is about.
 */
export async function patchEntry(
  c: Context,
  { entries, writer }: PatchPorts,
  { type, patch, dryRun }: PatchRequest,
  signal: AbortSignal,
): Promise<PatchResult> {
  const { namespace = '', name = '', version = '' } = c.req.param();
  for (let tries = 1; ; tries++) {
    const current = await entries.get(namespace, name, signal);
    if (!current) return notFound(name);
    const changed = patched(inVersion(current, version), type, patch);
    if ('status' in changed) return changed;
    const read = readEntry(c, changed.value);
    if ('status' in read) return read;
    const { resourceVersion, named } = versionMeant(current, read.entry);
    const precondition = { kind: 'present', ...(resourceVersion === undefined ? {} : { resourceVersion }) } as const;
    const outcome = await writer.apply(read.entry, { precondition, dryRun }, signal);
    const isOvertaken = outcome.kind === 'rejected' && outcome.reason === 'Conflict' && !named;
    if (!isOvertaken || tries === TRIES) return { ...read, outcome };
  }
}

/** A version with another uid is that of something else: of the same entry in a cluster that it was copied from. */
function versionMeant(current: ServiceEntry, { metadata }: ServiceEntry): { resourceVersion?: string; named: boolean } {
  const own = current.metadata.resourceVersion;
  const isForeign = metadata.uid !== undefined && metadata.uid !== current.metadata.uid;
  const named = !isForeign && metadata.resourceVersion !== undefined && metadata.resourceVersion !== own;
  const resourceVersion = named ? metadata.resourceVersion : own;
  return { named, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
}
