import { badRequest } from './api.ts';
import type { Status } from './status.ts';

/**
 * Whether a write is only judged: by the query, or by the body of a DELETE, where clients put it. Anything but `All`
 * is refused, so that no mistyped one is taken for the real thing.
 */
export function readDryRun(query: readonly string[] | undefined, body: unknown): boolean | Status {
  if (body !== undefined && !Array.isArray(body)) return badRequest('dryRun: Invalid value: must be a list');
  const asked = [...(query ?? []), ...(body ?? [])].filter((value) => value !== '');
  const unknown = asked.find((value) => value !== 'All');
  if (unknown !== undefined)
    return badRequest(`dryRun: Unsupported value: ${JSON.stringify(unknown)}: supported values: "All"`);
  return asked.length > 0;
}
