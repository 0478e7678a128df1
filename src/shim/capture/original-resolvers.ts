import { join } from 'node:path';
import type { ListenAddress } from './capture.ts';
import type { HostFiles } from './host-files.ts';
import { isOurs, parseResolvConf, RESOLV_CONF } from './resolv-conf.ts';

/** The resolvers that this host has without us: what `fallback = system` and `route … = system` ask, on port 53. */
export interface OriginalResolvers {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  /** Where `/etc/resolv.conf` led to, if it was a link: whoever writes that file goes on doing so. */
  readonly file?: string;
}

/** systemd-resolved's own list, where `/etc/resolv.conf` names only its stub. */
export const RESOLVED_UPLINKS = '/run/systemd/resolve/resolv.conf';
const RESOLVED_STUBS: ReadonlySet<string> = new Set(['127.0.0.53', '127.0.0.54']);

const DNS_PORT = 53;

export const originalResolversPath = (stateDir: string): string => join(stateDir, 'original-resolvers.json');

/** Whether programs ask systemd-resolved. */
export const asksResolved = (resolvConf: string): boolean =>
  parseResolvConf(resolvConf).nameservers.some((server) => RESOLVED_STUBS.has(server));

/**
 * From the texts of the files, whose servers all are on port 53. Where we listen on it is left out: asking us would be a
 * loop. On another port of the same address we are somebody else.
 */
export function originalResolvers(
  resolvConf: string,
  uplinks: string | undefined,
  listen: readonly ListenAddress[],
): OriginalResolvers {
  const own = new Set(listen.flatMap(({ address, port }) => (port === DNS_PORT ? [address] : [])));
  const { nameservers, search } = parseResolvConf(resolvConf);
  const servers =
    uplinks !== undefined && asksResolved(resolvConf) ? parseResolvConf(uplinks).nameservers : nameservers;
  return { servers: [...new Set(servers)].filter((server) => !own.has(server)), search };
}

/** As they are now, or, where nobody but us is named, as they were before. */
export async function readOriginalResolvers(
  host: HostFiles,
  { stateDir, listen }: { readonly stateDir: string; readonly listen: readonly ListenAddress[] },
): Promise<OriginalResolvers> {
  const resolvConf = (await host.read(RESOLV_CONF)) ?? '';
  const now = originalResolvers(resolvConf, await host.read(RESOLVED_UPLINKS), listen);
  // Where only we are named, there were others before.
  if (!isOurs(resolvConf) && now.servers.length > 0) return now;
  const saved = parseSaved(await host.read(originalResolversPath(stateDir)));
  const followed = saved?.file === undefined ? undefined : await host.read(saved.file);
  if (followed !== undefined && !isOurs(followed)) {
    const written = originalResolvers(followed, await host.read(RESOLVED_UPLINKS), listen);
    if (written.servers.length > 0) return written;
  }
  return saved ?? now;
}

export async function saveOriginalResolvers(
  host: HostFiles,
  stateDir: string,
  found: OriginalResolvers,
): Promise<void> {
  await host.write(originalResolversPath(stateDir), `${JSON.stringify(found)}\n`);
}

export const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

function parseSaved(text: string | undefined): OriginalResolvers | undefined {
  try {
    const { servers, search, file } = JSON.parse(text ?? '') as Partial<OriginalResolvers>;
    if (isTexts(servers) && isTexts(search)) {
      return { servers, search, ...(typeof file === 'string' && { file }) };
    }
  } catch {
    // Not there, or cut short: nothing is known.
  }
  return undefined;
}
