import { counter, type Gauge } from '../metrics.ts';
import { type KernelVips, readKernelVips } from './kernel-listeners.ts';

/** Reading every element costs the kernel more than a scraper that is in a hurry should be given. */
const KEPT_MS = 10_000;

/** What the kernel counts for VIPs, in the form of the shim's metrics. */
export function vipCounters({ listeners, refused }: KernelVips): Gauge[] {
  const each = (of: 'packets' | 'octets'): Gauge['values'] =>
    [...listeners].map(([key, listener]) => {
      const [address = '', transport = '', port = ''] = key.split(' ');
      return [{ address, protocol: transport.toUpperCase(), port }, listener[of]];
    });
  return [
    counter('vip_packets', 'Packets to and from a port of a virtual IP, since the rules were loaded.', each('packets')),
    counter('vip_bytes', 'Octets of these packets.', each('octets')),
    counter('vip_refused_packets', 'Packets to virtual IPs that lead nowhere.', [[{}, refused]]),
  ];
}

/** Reads them when asked, and not more often than now and then; nothing where they cannot be read. */
export function vipCounterReader(now: () => number, read = readKernelVips): () => Promise<readonly Gauge[]> {
  let readAt = Number.NEGATIVE_INFINITY;
  let counters: Promise<readonly Gauge[]> = Promise.resolve([]);
  return () => {
    if (now() - readAt >= KEPT_MS) {
      readAt = now();
      counters = read().then(vipCounters, () => []);
    }
    return counters;
  };
}
