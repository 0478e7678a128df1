import type { AdminClient, EntryKey } from './admin-client.ts';
import { ServerRefusal } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder } from './in-order.ts';
import type { Io } from './io.ts';
import type { HostsInForce } from './moves.ts';
import { printable } from './printable.ts';

/** What the entries in force claim in the namespaces that are written to: one list for each. One object alone moves nothing. */
export async function hostsInForce(client: AdminClient, targets: readonly EntryKey[], io: Io): Promise<HostsInForce> {
  const inForce = new Map<string, readonly string[]>();
  if (targets.length < 2) return inForce;
  const namespaces = [...new Set(targets.map(({ namespace }) => namespace))];
  try {
    for await (const entries of inOrder(namespaces, MAX_IN_FLIGHT, (namespace) => client.list(namespace))) {
      for (const { metadata, spec } of entries) inForce.set(`${metadata.namespace}/${metadata.name}`, spec.hosts);
    }
  } catch (error) {
    if (!(error instanceof ServerRefusal) || error.status.reason === 'Unauthorized') throw error;
    const risk = 'a host that moves from one of these entries to another may be without an answer for a moment';
    io.stderr.write(`Warning: the entries in force cannot be listed, so ${risk}: ${printable(error.message)}\n`);
  }
  return inForce;
}
