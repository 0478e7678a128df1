import type { Context } from 'hono';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { mediaTypeOf } from '../message.ts';
import { failure, type Status } from '../status.ts';
import { apiVersionOf, inVersion, KIND, LIST_KIND } from './resource.ts';
import { type IncludeObject, type MetaVersion, partialObject, tableOf } from './table.ts';

/** `metadata` of a list. */
export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
}

/** How entries are told to a client: as they are, as rows of a table, or by their metadata alone. */
export interface Representation {
  one(entry: ServiceEntry): object;
  list(entries: readonly ServiceEntry[], meta: ListMeta): object;
  /** What a BOOKMARK of a watch carries: how far the client has seen. */
  mark(resourceVersion: string): object;
}

const wholeObjects = (version: string): Representation => ({
  one: (entry) => inVersion(entry, version),
  list: (entries, metadata) => ({
    apiVersion: apiVersionOf(version),
    kind: LIST_KIND,
    metadata,
    items: entries.map((entry) => inVersion(entry, version)),
  }),
  mark: (resourceVersion) => ({
    apiVersion: apiVersionOf(version),
    kind: KIND,
    metadata: { resourceVersion, creationTimestamp: null },
  }),
});

const partialObjects = (meta: MetaVersion): Representation => ({
  one: (entry) => partialObject(entry, meta),
  list: (entries, metadata) => ({
    apiVersion: `meta.k8s.io/${meta}`,
    kind: 'PartialObjectMetadataList',
    metadata,
    items: entries.map((entry) => partialObject(entry, meta)),
  }),
  mark: (resourceVersion) => ({
    apiVersion: `meta.k8s.io/${meta}`,
    kind: 'PartialObjectMetadata',
    metadata: { resourceVersion, creationTimestamp: null },
  }),
});

function rows(version: string, meta: MetaVersion, include: IncludeObject, now: () => number): Representation {
  const table = (entries: readonly ServiceEntry[], metadata: Partial<ListMeta>) =>
    tableOf(entries, metadata, { version, meta, include, now: now() });
  return {
    one: (entry) => {
      const { resourceVersion } = entry.metadata;
      return table([entry], resourceVersion === undefined ? {} : { resourceVersion });
    },
    list: table,
    mark: (resourceVersion) => table([], { resourceVersion }),
  };
}

const INCLUDE: Readonly<Record<string, IncludeObject>> = {
  '': 'Metadata',
  Metadata: 'Metadata',
  None: 'None',
  Object: 'Object',
};

interface Asked {
  /** Of the API, as in the path. */
  readonly version: string;
  readonly includeObject: IncludeObject;
  readonly now: () => number;
}

const parameter = (range: string, name: string): string | undefined =>
  new RegExp(String.raw`;\s*${name}=([^;\s]+)`, 'i').exec(range)?.[1];

function representationOf(range: string, { version, includeObject, now }: Asked): Representation | undefined {
  if (!/^(application\/json|application\/\*|\*\/\*)$/.test(mediaTypeOf(range))) return undefined;
  const as = parameter(range, 'as');
  if (as === undefined) return wholeObjects(version);
  const meta = parameter(range, 'v');
  if (parameter(range, 'g') !== 'meta.k8s.io' || (meta !== 'v1' && meta !== 'v1beta1')) return undefined;
  if (as === 'Table') return rows(version, meta, includeObject, now);
  return as.startsWith('PartialObjectMetadata') ? partialObjects(meta) : undefined;
}

const NOT_ACCEPTABLE = failure(
  406,
  'NotAcceptable',
  'only the following media types are accepted: application/json, ' +
    'application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
);

/** The first form of `Accept` that there is, as Kubernetes chooses. */
export function chooseRepresentation(c: Context, now: () => number): Representation | Status {
  const accept = c.req.header('accept') ?? '';
  const includeObject = INCLUDE[c.req.query('includeObject') ?? ''] ?? 'Metadata';
  const asked = { version: c.req.param('version') ?? '', includeObject, now };
  for (const range of accept.trim() === '' ? ['*/*'] : accept.split(',')) {
    const found = representationOf(range, asked);
    if (found) return found;
  }
  return NOT_ACCEPTABLE;
}
