import { stringify } from 'yaml';
import { GROUP } from '../http/status.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';

export type ObjectFormat = 'name' | 'json' | 'yaml';

export const OBJECT_FORMATS: readonly ObjectFormat[] = ['name', 'json', 'yaml'];

export const qualifiedName = (name: string): string => `serviceentry.${GROUP}/${name}`;

/** Readers of YAML 1.1, kubectl among them, take a bare `yes` or `1:30` for something else than text. */
const YAML = { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false } as const;

export const formatValue = (value: unknown, format: 'json' | 'yaml'): string =>
  format === 'json' ? `${JSON.stringify(value, null, 4)}\n` : stringify(value, YAML);

/** YAML for comparison: the order of keys says nothing. */
export const formatSorted = (value: unknown): string => stringify(value, { ...YAML, sortMapEntries: true });

export const formatObject = (object: ServiceEntry, format: ObjectFormat): string =>
  format === 'name' ? `${qualifiedName(object.metadata.name)}\n` : formatValue(object, format);

/** Several objects, or none: as a List, which `apply -f` takes. */
export function formatObjects(objects: readonly ServiceEntry[], format: ObjectFormat): string {
  if (format === 'name') return objects.map((object) => formatObject(object, format)).join('');
  return formatValue({ apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: objects }, format);
}
