import type { PathSegment } from './field-error.ts';
import type { ObjectMeta, ServiceEntryPort, ServiceEntrySpec, WorkloadEntry } from './service-entry.ts';

type List<T> = readonly (T | undefined)[];
type Texts = Readonly<Record<string, string | undefined>>;

/** An entry whose shape may be wrong in places: what is wrong is absent, or a hole in its list or map. */
export interface Draft {
  readonly metadata: Pick<Partial<ObjectMeta>, 'name'> & {
    readonly namespace: string;
    readonly labels?: Texts;
    readonly annotations?: Texts;
  };
  readonly spec: Omit<
    Partial<ServiceEntrySpec>,
    'hosts' | 'addresses' | 'ports' | 'endpoints' | 'exportTo' | 'workloadSelector'
  > & {
    readonly hosts?: List<string>;
    readonly addresses?: List<string>;
    readonly ports?: List<Partial<ServiceEntryPort>>;
    readonly endpoints?: List<WorkloadEntry>;
    readonly exportTo?: List<string>;
    readonly workloadSelector?: { readonly labels?: Texts };
  };
}

export type DraftField = keyof Draft['metadata'] | keyof Draft['spec'];

export interface Salvage {
  readonly draft: Draft;
  /** Fields that are present but useless: a rule that reads one of them cannot judge. */
  readonly broken: ReadonlySet<PathSegment>;
}

type Fields = Record<PathSegment, unknown>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

const copyOf = (value: unknown): Fields => (Array.isArray(value) ? [...value] : { ...(value as Fields) }) as Fields;

/** A copy of `section` without its wrong fields, and with holes for wrong items; `wrong` holds paths below it. */
function salvageSection(
  section: unknown,
  wrong: readonly (readonly PathSegment[])[],
  broken: Set<PathSegment>,
): Fields {
  const fields = isObject(section) && !Array.isArray(section) ? copyOf(section) : {};
  const copies = new Map<PathSegment, Fields>();
  for (const [field, key] of wrong) {
    if (field === undefined) continue;
    if (key === undefined) {
      delete fields[field];
      broken.add(field);
      continue;
    }
    const copy = copies.get(field) ?? copyOf(fields[field]);
    copy[key] = undefined;
    copies.set(field, copy);
    fields[field] = copy;
  }
  return fields;
}

/**
 * What can still be judged of an object of the wrong shape, so that one answer names all its errors.
 * `wrong` holds the paths of values of the wrong type.
 */
export function salvage(
  metadata: unknown,
  spec: unknown,
  wrong: readonly (readonly PathSegment[])[],
  defaultNamespace: string,
): Salvage {
  const broken = new Set<PathSegment>();
  const below = (section: string) => wrong.filter(([first]) => first === section).map(([, ...rest]) => rest);
  const draft = {
    metadata: { namespace: defaultNamespace, ...salvageSection(metadata, below('metadata'), broken) },
    spec: salvageSection(spec, below('spec'), broken),
  };
  return { draft, broken };
}

/** The sound items of a list, with their places in it. */
export function* items<T>(list: List<T> | undefined): Generator<readonly [index: number, item: T]> {
  for (const [index, item] of (list ?? []).entries()) if (item !== undefined) yield [index, item];
}

/** Places of items that repeat an earlier key. */
export function* repeated<T>(
  list: List<T> | undefined,
  keyOf: (item: T) => string | number | undefined,
): Generator<readonly [index: number, key: string | number]> {
  const seen = new Set<string | number>();
  for (const [index, item] of items(list)) {
    const key = keyOf(item);
    if (key === undefined) continue;
    if (seen.has(key)) yield [index, key];
    seen.add(key);
  }
}
