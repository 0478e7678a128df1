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
  const texts = [resourceVersion, namespace, name].every((field) => typeof field === 'string' && field !== '');
  return texts && Number.isFinite(since) ? { resourceVersion, since, namespace, name } : undefined;
}
