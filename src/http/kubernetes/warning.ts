import type { Context } from 'hono';

/** Characters of all warnings together: clients and gateways take some thousands of header octets, and refuse more. */
const MOST_CHARACTERS = 4096;
/** Of one, where there are too many. */
const MOST_OF_ONE = 256;

const sum = (texts: readonly string[]): number => texts.reduce((total, { length }) => total + length, 0);

/** Those that fit, the first ones first, and how many do not. */
function fitting(warnings: readonly string[]): readonly string[] {
  if (sum(warnings) <= MOST_CHARACTERS) return warnings;
  const short = warnings.map((warning) => warning.slice(0, MOST_OF_ONE));
  let room = MOST_CHARACTERS;
  const told = short.filter(({ length }) => {
    room -= length;
    return room >= 0;
  });
  return told.length === short.length ? short : [...told, `and ${short.length - told.length} more warnings`];
}

/** RFC 7234 section 5.5 in Kubernetes' use: code 299, no agent, quoted text. */
export function warn(c: Context, warnings: readonly string[]): void {
  for (const warning of fitting([...new Set(warnings)])) {
    const text = warning.replaceAll(/[\\"]/g, String.raw`\$&`).replaceAll(/[^\x20-\x7e]/g, '?');
    c.header('Warning', `299 - "${text}"`, { append: true });
  }
}
