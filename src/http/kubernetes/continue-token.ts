/** Where a list that was cut by `limit` goes on. */
export interface ContinueToken {
  /** Of the first part: whoever watches from it misses nothing, whatever changed between the parts. */
  readonly resourceVersion: string;
  /** When the first part was read, in milliseconds since the epoch. */
  readonly since: number;
  /** The last entry of the part before. */
  readonly namespace: string;
  readonly name: string;
}

export const encodeContinue = ({ resourceVersion, since, namespace, name }: ContinueToken): string =>
  Buffer.from(JSON.stringify([resourceVersion, since, namespace, name])).toString('base64url');

/** What may stand in an entry's key. */
const NAME = /^[a-z\d.-]{1,253}$/;
const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value);
const NUMBER = /^\d{1,15}$/;

/** Undefined for what no list has given out. */
export function decodeContinue(text: string): ContinueToken | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 4) return undefined;
  const [resourceVersion, since, namespace, name] = fields;
  const isWhole = NUMBER.test(resourceVersion) && isName(namespace) && isName(name) && Number.isFinite(since);
  return isWhole ? { resourceVersion: String(resourceVersion), since, namespace, name } : undefined;
}
