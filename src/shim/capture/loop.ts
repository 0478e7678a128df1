import { CaptureRefusedError, type CaptureSettings, type ListenAddress } from './capture.ts';
import type { HostFiles } from './host-files.ts';
import { readOriginalResolvers } from './original-resolvers.ts';
import { answersUdp } from './self-check.ts';
import { answeringCanary } from './stand-in.ts';

const DNS_PORT = 53;
/** A resolver that passes the question on takes longer than one that knows the answer. */
const TIMEOUT_MS = 1500;

/** Nobody has it (RFC 5737): an answer from there was given by us, under a redirect. */
const NOBODY = { address: '192.0.2.53', port: DNS_PORT };

/** Of these resolvers, those that pass their questions on to a running shim. None where our question is redirected. */
export async function loopingResolvers(servers: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(servers.map((address) => answersUdp({ address, port: DNS_PORT }, TIMEOUT_MS)));
  const looping = servers.filter((_, index) => answers[index]);
  return looping.length > 0 && (await answersUdp(NOBODY, TIMEOUT_MS)) ? [] : looping;
}

/** The same where no shim runs yet, or one may: somebody answers as it would where it will listen. */
export async function loopingOnceStarted(
  servers: readonly string[],
  listen: readonly ListenAddress[],
): Promise<readonly string[]> {
  const standIn = await answeringCanary(listen);
  return loopingResolvers(servers).finally(() => standIn.close());
}

export const loopReason = (servers: readonly string[]): string =>
  `a loop: the resolver ${servers.join(', ')}, which this host had before, passes its questions on to this shim: ` +
  'give that resolver other servers';

/**
 * Call it once the listeners are bound: a loop shows by our own answer coming back.
 *
 * @throws CaptureRefusedError when what we would fall back to comes back to us.
 */
export async function refuseLoop(
  host: HostFiles,
  settings: Pick<CaptureSettings, 'stateDir' | 'listen'>,
): Promise<void> {
  const { servers } = await readOriginalResolvers(host, settings);
  const looping = await loopingResolvers(servers);
  if (looping.length > 0) throw new CaptureRefusedError(loopReason(looping));
}
