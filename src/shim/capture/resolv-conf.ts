import { isIP } from 'node:net';

export const RESOLV_CONF = '/etc/resolv.conf';

/** How a file of ours begins. */
const OURS = '# Written by meshdoh-shim.';

const HEADER = `${OURS} "meshdoh-shim uninstall" puts back what was here.\n`;

export interface ResolvConf {
  /** Addresses in order; other words left out. */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
}

const wordsOf = (line: string): string[] => line.trim().split(/\s+/);

/** resolv.conf(5): the last `search` or `domain` counts. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = wordsOf(line);
    if (keyword === 'nameserver' && isIP(values[0] ?? '') !== 0) nameservers.push(values[0] ?? '');
    if (keyword === 'search' || keyword === 'domain') search = values;
  }
  return { nameservers, search };
}

export const isOurs = (text: string): boolean => text.startsWith(OURS);

/**
 * The file with us as its only nameserver, everything else kept. A second one would be asked in parallel by musl, and
 * by others after the first slow answer: private names would leave the host.
 */
export function renderResolvConf(original: string, nameserver: string): string {
  const kept = original
    .split('\n')
    .filter((line) => ['search', 'domain', 'options', 'sortlist'].includes(wordsOf(line)[0] ?? ''));
  return `${[`${HEADER}nameserver ${nameserver}`, ...kept].join('\n')}\n`;
}
