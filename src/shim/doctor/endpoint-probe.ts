import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { RRType } from '../../dns/constants.ts';
import type { DomainName } from '../../dns/name.ts';
import { encodeQuery } from '../../dns/query.ts';
import { MEDIA_TYPE } from '../../forward/http-exchange.ts';
import { hostOf } from '../../forward/upstream.ts';
import { addressBook } from '../address-book.ts';
import type { OriginalResolvers } from '../capture/original-resolvers.ts';
import { withToken } from '../credentials.ts';
import { getFrom } from '../http-request.ts';
import type { ShimSettings } from '../settings.ts';
import type { EndpointFacts } from './host-facts.ts';

const TIMEOUT_MS = 3000;

export interface Probe {
  readonly outcome: EndpointFacts['outcome'];
  /** What its `Date` says our clock is ahead by. */
  readonly skewMs?: number;
}

type ProbeSettings = Pick<ShimSettings, 'bootstrap' | 'caFile' | 'tokenFile' | 'tokenIn' | 'auth' | 'stateDir'>;

/** Asks an endpoint one question the way the shim does, but on a connection of its own and never through the shim. */
export async function probeEndpoint(url: string, settings: ProbeSettings, original: OriginalResolvers): Promise<Probe> {
  try {
    const target = new URL(url);
    const query = encodeQuery({ qname: 'localhost' as DomainName, qtype: RRType.A });
    target.searchParams.set('dns', query.toString('base64url'));
    const { caFile, tokenFile, tokenIn, auth } = settings;
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    const response = await getFrom(
      {
        url: target.href,
        bootstrap: [await addressOf(hostOf(target), settings, original)],
        ...(caFile !== undefined && { ca: await readFile(caFile, 'utf8') }),
        ...(token !== undefined && { authorize: withToken(() => token, tokenIn) }),
      },
      { accept: MEDIA_TYPE },
      TIMEOUT_MS,
    );
    response.destroy();
    // Requests are not signed here: a refusal shows that it is there.
    return judged(response, auth === 'iam');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { outcome: { kind: 'unreachable', code, message } };
  }
}

/**
 * One: where several are tried, nothing is said of what happened at each. What the shim found goes first: under capture
 * our own question would come to it.
 */
async function addressOf(host: string, settings: ProbeSettings, { servers }: OriginalResolvers): Promise<string> {
  const { bootstrap, stateDir } = settings;
  const known = isIP(host) > 0 ? host : bootstrap[0];
  if (known !== undefined) return known;
  if (host === 'localhost') return '127.0.0.1';
  const [served] = (await addressBook(stateDir).read())[host] ?? [];
  if (served !== undefined) return served;
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  if (servers.length > 0) resolver.setServers(servers);
  const [address] = await resolver.resolve4(host).catch(() => resolver.resolve6(host));
  return address ?? '';
}

function judged({ statusCode: status = 0, headers }: IncomingMessage, takesRefusal: boolean): Probe {
  const skewMs = Date.now() - Date.parse(headers.date ?? '');
  const answered = status === 200 ? headers['content-type'] === MEDIA_TYPE : takesRefusal && status === 403;
  const failed = status === 200 ? ({ kind: 'notDns' } as const) : ({ kind: 'status', status } as const);
  return { outcome: answered ? { kind: 'answered' } : failed, ...(Number.isFinite(skewMs) && { skewMs }) };
}
