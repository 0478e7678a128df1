import type { Context } from 'hono';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { badRequest } from '../api.ts';
import { failure, type Status } from '../status.ts';
import { type ContinueToken, decodeContinue } from './continue-token.ts';
import { readFieldSelector } from './field-selector.ts';
import { readLabelSelector } from './label-selector.ts';

/** Which entries a request is about. */
export interface Selection {
  /** All namespaces when absent. */
  readonly namespace?: string;
  /** The one name that can match. */
  readonly name?: string;
  /** Whether there is a selector, so that many entries may have to be read for few that match. */
  readonly isSelective: boolean;
  readonly matches: (entry: ServiceEntry) => boolean;
}

export interface Paging {
  /** The one version of the registry that will do. */
  readonly exactly?: string;
  readonly limit?: number;
  readonly continued?: ContinueToken;
}

/** As long as Kubernetes keeps the state that a list began with. */
const CONTINUE_MAX_AGE_MS = 5 * 60_000;

const EXPIRED = failure(
  410,
  'Expired',
  'The provided continue parameter is too old to display a consistent list result. ' +
    'You must start a new list without the continue parameter.',
);

export const tooOld = (resourceVersion: string): Status =>
  failure(410, 'Expired', `too old resource version: ${resourceVersion}`);

/** A list is read consistently, so it is never older than a version that was given out. */
const VERSION_MATCHES: ReadonlySet<string> = new Set(['', 'Exact', 'NotOlderThan']);

const FALSE: ReadonlySet<string> = new Set(['0', 'false']);

/** A flag in a query as Kubernetes reads it: there, with whatever value, it is set. */
export const flagOf = (value: string | undefined): boolean => value !== undefined && !FALSE.has(value.toLowerCase());

/** A whole number of a query; undefined when it is not given. */
export function wholeNumber(name: string, text: string | undefined): number | undefined | Status {
  if (text === undefined || text === '') return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  return number ?? badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number, not negative`);
}

export function readSelection(c: Context): Selection | Status {
  const namespace = c.req.param('namespace');
  const { labelSelector = '', fieldSelector = '' } = c.req.query();
  const labels = readLabelSelector(labelSelector);
  if (!labels.ok) return badRequest(labels.problem);
  const fields = readFieldSelector(fieldSelector);
  if (!fields.ok) return badRequest(fields.problem);
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(fields.name === undefined ? {} : { name: fields.name }),
    isSelective: labelSelector !== '' || fieldSelector !== '',
    matches: ({ metadata }) => fields.matches(metadata) && labels.matches(metadata.labels ?? {}),
  };
}

export function readPaging(c: Context, now: number): Paging | Status {
  const { limit: limitText, continue: token = '', resourceVersion = '', resourceVersionMatch = '' } = c.req.query();
  const limit = wholeNumber('limit', limitText);
  if (typeof limit === 'object') return limit;
  if (!VERSION_MATCHES.has(resourceVersionMatch) || (resourceVersionMatch !== '' && resourceVersion === '')) {
    return badRequest('resourceVersionMatch: it is Exact or NotOlderThan, and forbidden unless resourceVersion is set');
  }
  const paging = {
    ...(limit ? { limit } : {}),
    ...(resourceVersionMatch === 'Exact' ? { exactly: resourceVersion } : {}),
  };
  if (token === '') return paging;
  if (resourceVersion !== '' && resourceVersion !== '0') {
    return badRequest('specifying resource version is not allowed when using continue');
  }
  const continued = decodeContinue(token);
  const namespace = c.req.param('namespace') ?? continued?.namespace;
  if (!continued || continued.namespace !== namespace) return badRequest('continue key is not valid');
  return now - continued.since > CONTINUE_MAX_AGE_MS ? EXPIRED : { ...paging, continued };
}
