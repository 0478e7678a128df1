import { runCommand } from '../capture/run-command.ts';
import type { UdpFlow } from './elements.ts';

/** Above it the kernel's own time-out (30 s to 120 s) has to do: each flow is a process. */
const MAX_FLOWS = 256;

/**
 * Makes conntrack forget flows, so that their next datagram is translated anew. Needs the `conntrack` command; without
 * it flows end when they have been silent for as long as the kernel waits.
 */
export async function forgetUdpFlows(flows: readonly UdpFlow[]): Promise<void> {
  const commands = flows
    .slice(0, MAX_FLOWS)
    .map(({ vip, port, target }) => [
      'conntrack',
      ...['-D', '-p', 'udp'],
      ...['--orig-dst', vip, '--orig-port-dst', port, '--reply-src', target],
    ]);
  // It also ends with an error when there was no such flow.
  await Promise.allSettled(commands.map(runCommand));
}
