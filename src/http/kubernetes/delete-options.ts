import type { Context } from 'hono';
import type { Precondition } from '../../registry/writer.ts';
import { badRequest, isObject, readJson } from '../api.ts';
import { readDryRun } from '../dry-run.ts';
import type { Status } from '../status.ts';

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly precondition: Extract<Precondition, { kind: 'present' }>;
}

const textField = (object: unknown, field: string): string | undefined => {
  const value = isObject(object) ? object[field] : undefined;
  return typeof value === 'string' ? value : undefined;
};

/** Kubernetes' DeleteOptions; what says how dependents go has nothing to say here. */
export async function readDeleteOptions(c: Context): Promise<DeleteOptions | Status> {
  const read = await readJson(c);
  if ('status' in read) return read;
  const { dryRun: asked, preconditions } = read.body;
  const dryRun = readDryRun(c.req.queries('dryRun'), asked);
  if (typeof dryRun !== 'boolean') return dryRun;
  if (preconditions !== undefined && preconditions !== null && !isObject(preconditions)) {
    return badRequest('preconditions is not an object');
  }
  const uid = textField(preconditions, 'uid');
  const resourceVersion = textField(preconditions, 'resourceVersion');
  const named = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return { dryRun, precondition: { kind: 'present', ...named } };
}
