import type { Authorize } from '../forward/upstream.ts';
import { InstanceMetadata, RoleCredentials, regionOf, signWith } from './iam.ts';
import type { Log } from './log.ts';
import { messageOf } from './message-of.ts';
import type { ShimSettings } from './settings.ts';
import { TokenFile } from './token-file.ts';

/** What the endpoints know us by. */
export interface Credentials {
  readonly authorize: Authorize | undefined;
  /** Looks for new ones now. */
  refresh(): Promise<void>;
  close(): void;
}

const NONE: Credentials = { authorize: undefined, refresh: async () => undefined, close: () => undefined };

/** `metadataEndpoint`: instead of the instance metadata service. @throws ShimTokenError where there is no usable token. */
export async function openCredentials(
  settings: ShimSettings,
  log: Log,
  metadataEndpoint: string | undefined,
): Promise<Credentials> {
  if (settings.auth === 'iam') return openRole(settings, log, metadataEndpoint);
  if (settings.auth === 'token' && settings.tokenFile !== undefined) {
    return openToken(settings.tokenFile, settings.tokenIn, log);
  }
  return NONE;
}

async function openToken(path: string, where: 'path' | 'header', log: Log): Promise<Credentials> {
  const file = await TokenFile.open(path, (error) => log.warn(`${messageOf(error)}; the last good token stays in use`));
  return {
    authorize: withToken(() => file.token, where),
    refresh: () => file.refresh(),
    close: () => file.close(),
  };
}

export const withToken = (token: () => string, where: 'path' | 'header'): Authorize =>
  where === 'header'
    ? () => ({ headers: { authorization: `Bearer ${token()}` } })
    : ({ url }) => ({ path: pathWith(url, token()) });

/** Before the part that the mesh knows; what stands further in front (a stage of API Gateway) is not its. */
const pathWith = ({ pathname, search }: URL, token: string): string =>
  pathname.replace(/\/(?:v1\/table|[^/]*)$/, (last) => `/${token}${last}`) + search;

/** Where everybody's endpoints are unless they say otherwise. */
const DEFAULT_REGION = 'us-east-1';

async function openRole(
  { region, endpoints }: ShimSettings,
  log: Log,
  metadataEndpoint: string | undefined,
): Promise<Credentials> {
  const metadata = new InstanceMetadata(metadataEndpoint);
  const failed = (error: unknown) => log.warn(`credentials of this instance: ${messageOf(error)}`);
  const role = new RoleCredentials({ fetch: () => metadata.credentials(), failed });
  await role.renew();
  const hosts = endpoints.map((url) => new URL(url).hostname);
  const known = region ?? hosts.map(regionOf).find((found) => found !== undefined);
  const asked = known === undefined ? await metadata.region().catch(failed) : known;
  return {
    authorize: signWith(() => role.current, asked || DEFAULT_REGION),
    refresh: () => role.renew(),
    close: () => role.close(),
  };
}
