import type { Precondition } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { failure, GROUP, type Status } from '../status.ts';
import { PLURAL } from './resource.ts';

/** A replacement says which version it replaces, or two people overwrite each other. */
export function replacePrecondition({ metadata: { name, resourceVersion, uid } }: ServiceEntry): Precondition | Status {
  if (resourceVersion !== undefined) return { kind: 'present', resourceVersion, ...(uid === undefined ? {} : { uid }) };
  return failure(
    422,
    'Invalid',
    `${PLURAL}.${GROUP} "${name}" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`,
    { name, group: GROUP, kind: PLURAL },
  );
}

/**
 * A manifest that names a version conflicts with any later one. One that came from elsewhere, as its uid tells (an
 * export of a cluster, say), names a version of something else.
 */
export function applyPrecondition({ metadata: { resourceVersion, uid } }: ServiceEntry): Precondition {
  if (resourceVersion === undefined) return { kind: 'none' };
  return { kind: 'unmodified', resourceVersion, ...(uid === undefined ? {} : { uid }) };
}
