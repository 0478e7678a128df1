export const TTL_ANNOTATION = 'meshdoh.dev/ttl';

/** Whole seconds from 1 to 3600; undefined for anything else. */
export function parseTtl(text: string): number | undefined {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) return undefined;
  const ttl = Number(text);
  return ttl <= 3600 ? ttl : undefined;
}
