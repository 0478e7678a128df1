import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { ageOf } from './age.ts';
import { inVersion } from './resource.ts';

export type MetaVersion = 'v1' | 'v1beta1';
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface Column {
  readonly name: string;
  readonly description: string;
  readonly format?: string;
  /** Above 0, only a wide table shows it. */
  readonly priority: number;
  /** Undefined leaves the cell empty. */
  readonly cell: (entry: ServiceEntry, now: number) => string | undefined;
}

/** What a host of the entry answers with: its own addresses, or those it was given. */
function addressesOf({ spec, status }: ServiceEntry): string {
  const addresses = spec.addresses?.length ? spec.addresses : (status?.addresses ?? []).map(({ value }) => value);
  return addresses.length === 0 ? '<none>' : addresses.join(',');
}

/** Those of Istio's own definition of the kind, and the addresses. */
export const COLUMNS: readonly Column[] = [
  {
    name: 'Name',
    description: 'Name of the entry, unique within its namespace',
    format: 'name',
    priority: 0,
    cell: ({ metadata }) => metadata.name,
  },
  {
    name: 'Hosts',
    description: 'The hosts associated with the ServiceEntry',
    priority: 0,
    cell: ({ spec }) => JSON.stringify(spec.hosts),
  },
  {
    name: 'Location',
    description: 'Whether the service is outside the mesh (MESH_EXTERNAL) or part of it (MESH_INTERNAL)',
    priority: 0,
    cell: ({ spec }) => spec.location,
  },
  {
    name: 'Resolution',
    description: 'How the hosts are resolved (NONE, STATIC, DNS, …)',
    priority: 0,
    cell: ({ spec }) => spec.resolution,
  },
  {
    name: 'Age',
    description: 'Time since the entry was created',
    priority: 0,
    cell: ({ metadata }, now) => ageOf(metadata.creationTimestamp, now),
  },
  {
    name: 'Addresses',
    description: 'What the hosts answer with: the addresses of the entry, or the virtual IPs it was given',
    priority: 1,
    cell: addressesOf,
  },
];

const columnDefinitions = COLUMNS.map(({ name, description, format = '', priority }) => ({
  name,
  type: 'string',
  format,
  description,
  priority,
}));

export const partialObject = ({ metadata }: ServiceEntry, meta: MetaVersion): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${meta}`,
  metadata,
});

interface TableForm {
  /** Of whole objects. */
  readonly version: string;
  readonly meta: MetaVersion;
  readonly include: IncludeObject;
  readonly now: number;
}

function objectOf(entry: ServiceEntry, { version, meta, include }: TableForm): { readonly object?: object } {
  if (include === 'None') return {};
  return { object: include === 'Object' ? inVersion(entry, version) : partialObject(entry, meta) };
}

/** Kubernetes' `Table` (meta.k8s.io): what `kubectl get` prints. */
export const tableOf = (entries: readonly ServiceEntry[], metadata: object, form: TableForm): object => ({
  kind: 'Table',
  apiVersion: `meta.k8s.io/${form.meta}`,
  metadata,
  columnDefinitions,
  rows: entries.map((entry) => ({
    cells: COLUMNS.map(({ cell }) => cell(entry, form.now) ?? null),
    ...objectOf(entry, form),
  })),
});
