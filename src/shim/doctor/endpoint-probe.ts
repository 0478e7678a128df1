import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { RRType } from '../../dns/constants.ts';
import type { DomainName } from '../../dns/name.ts';
import { encodeQuery } from '../../dns/query.ts';
import type { OriginalResolvers } from '../capture/original-resolvers.ts';
import type { ShimSettings } from '../settings.ts';
import type { EndpointFacts } from './host-facts.ts';

const TIMEOUT_MS = 3000;

export interface Probe {
  readonly outcome: EndpointFacts['outcome'];
  /** What its `Date` says our clock is ahead by. */
  readonly skewMs?: number;
}

type ProbeSettings = Pick<ShimSettings, 'bootstrap' | 'caFile' | 'tokenFile' | 'tokenIn' | 'auth'>;

/** Asks an endpoint one question the way the shim does, but on a connection of its own and never through the shim. */
export async function probeEndpoint(url: string, settings: ProbeSettings, original: OriginalResolvers): Promise<Probe> {
  try {
    const target = new URL(url);
    const headers: Record<string, string> = { accept: 'application/dns-message' };
    await authorize(target, headers, settings);
    const query = encodeQuery({ qname: 'localhost' as DomainName, qtype: RRType.A });
    target.searchParams.set('dns', query.toString('base64url'));
    return await ask(target, headers, {
      address: await addressOf(target.hostname, settings.bootstrap, original),
      ca: settings.caFile === undefined ? undefined : await readFile(settings.caFile),
      takesRefusal: settings.auth === 'iam',
    });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { outcome: { kind: 'unreachable', code, message } };
  }
}

async function authorize(target: URL, headers: Record<string, string>, settings: ProbeSettings): Promise<void> {
  if (settings.tokenFile === undefined) return;
  const token = (await readFile(settings.tokenFile, 'utf8')).trim();
  if (settings.tokenIn === 'header') headers.authorization = `Bearer ${token}`;
  else target.pathname = `/${token}${target.pathname}`;
}

async function addressOf(host: string, bootstrap: readonly string[], { servers }: OriginalResolvers): Promise<string> {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const known = isIP(bare) > 0 ? bare : bootstrap[0];
  if (known !== undefined) return known;
  if (bare === 'localhost') return '127.0.0.1';
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  if (servers.length > 0) resolver.setServers(servers);
  const [address] = await resolver.resolve4(bare).catch(() => resolver.resolve6(bare));
  return address ?? bare;
}

interface Way {
  readonly address: string;
  readonly ca: Buffer | undefined;
  /** A refusal shows that it is there: requests are not signed here. */
  readonly takesRefusal: boolean;
}

function ask(target: URL, headers: Record<string, string>, { address, ca, takesRefusal }: Way): Promise<Probe> {
  const { promise, resolve, reject } = Promise.withResolvers<Probe>();
  const options = {
    headers,
    lookup: lookupOf(address),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    agent: false as const,
    ...(ca && { ca }),
  };
  const request = target.protocol === 'https:' ? httpsRequest(target, options) : httpRequest(target, options);
  request.on('error', reject);
  request.on('response', (response) => {
    const skewMs = Date.now() - Date.parse(response.headers.date ?? '');
    const status = response.statusCode ?? 0;
    const isDns = response.headers['content-type'] === 'application/dns-message';
    const answered = status === 200 ? isDns : takesRefusal && status === 403;
    const failed = status === 200 ? ({ kind: 'notDns' } as const) : ({ kind: 'status', status } as const);
    resolve({ outcome: answered ? { kind: 'answered' } : failed, ...(Number.isFinite(skewMs) && { skewMs }) });
  });
  request.end();
  return promise.finally(() => request.destroy());
}

/** Of the two shapes that callers know, the one asked for. */
const lookupOf =
  (address: string): LookupFunction =>
  (_host, { all }, done) => {
    const family = isIP(address) || 4;
    if (all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
