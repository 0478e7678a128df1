import { listenUdp } from '../udp-listener.ts';
import { canaryAnswer } from './canary.ts';
import type { ListenAddress } from './capture.ts';

/**
 * Answers for the canary where the shim will listen, and nothing else: what a resolver passes on to there comes back.
 * Addresses that are taken already are left to whoever has them, which may be the shim.
 */
export async function answeringCanary(listen: readonly ListenAddress[]): Promise<{ close(): Promise<void> }> {
  const exchange = (query: Buffer) => Promise.resolve(canaryAnswer(query));
  const opened = await Promise.allSettled(listen.map((at) => listenUdp({ ...at, exchange })));
  const listeners = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  return {
    close: async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}
