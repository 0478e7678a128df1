import type { ApiVersion, ServiceEntry } from '../../serviceentry/service-entry.ts';
import { GROUP, rejectionStatus, type Status } from '../status.ts';

/** The preferred one first. */
export const VERSIONS = ['v1', 'v1beta1', 'v1alpha3'] as const;
export const KIND = 'ServiceEntry';
export const LIST_KIND = 'ServiceEntryList';
export const PLURAL = 'serviceentries';

const KNOWN: ReadonlySet<string> = new Set(VERSIONS);

export const isVersion = (text: string): boolean => KNOWN.has(text);

export const apiVersionOf = (version: string): ApiVersion => `${GROUP}/${version}` as ApiVersion;

/** Stored once, spoken in whichever version is asked for: the three have the same schema. */
export const inVersion = (entry: ServiceEntry, version: string): ServiceEntry => ({
  ...entry,
  apiVersion: apiVersionOf(version),
});

/** Of a namespace and a name; far more than any entry's have, and no more than every store takes as a key. */
const MAX_KEY_OCTETS = 1000;

/** Whether there can be such an entry at all. */
export const isPossible = (namespace: string, name: string): boolean =>
  Buffer.byteLength(namespace) + Buffer.byteLength(name) <= MAX_KEY_OCTETS;

export const notFound = (name: string): Status =>
  rejectionStatus(name, { kind: 'rejected', reason: 'NotFound', message: `${PLURAL}.${GROUP} "${name}" not found` });
