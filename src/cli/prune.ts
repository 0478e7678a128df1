import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { AdminClient, EntryKey } from './admin-client.ts';
import { DRY_RUN_SUFFIX, type DryRun } from './dry-run.ts';
import { refusalText, reportFailure } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder } from './in-order.ts';
import type { Io, Output } from './io.ts';
import { qualifiedName } from './object-output.ts';
import type { Selector } from './selector.ts';

export interface Pruning {
  /** Nothing that it leaves out is deleted. */
  readonly selector: Selector;
  /** Nothing outside their namespaces is deleted. */
  readonly applied: readonly EntryKey[];
  /** What the manifests name, whether it was applied or not. */
  readonly named: readonly EntryKey[];
  readonly dryRun: DryRun;
}

const keyOf = ({ namespace, name }: EntryKey): string => `${namespace}/${name}`;

/** What is in force, selected, in a namespace that was applied to, and not in the manifests. */
async function leftovers(client: AdminClient, { selector, applied, named }: Pruning): Promise<ServiceEntry[]> {
  const kept = new Set(named.map(keyOf));
  const namespaces = [...new Set(applied.map(({ namespace }) => namespace))].sort();
  const found: ServiceEntry[] = [];
  for await (const entries of inOrder(namespaces, MAX_IN_FLIGHT, (namespace) => client.list(namespace, { selector }))) {
    found.push(...entries.filter(({ metadata }) => !kept.has(keyOf(metadata))));
  }
  return found;
}

/** Deletes what an earlier state of the manifests has left behind, and says what. */
export async function prune(client: AdminClient, pruning: Pruning, output: Output, io: Io): Promise<void> {
  const { dryRun } = pruning;
  const remove = async ({ metadata }: ServiceEntry) => {
    if (dryRun === 'client') return { name: metadata.name, refusal: undefined };
    const answer = await client.delete(metadata, { dryRun: dryRun === 'server', uid: metadata.uid });
    // Somebody else was faster.
    const isGone = answer.ok || answer.status.reason === 'NotFound';
    return { name: metadata.name, refusal: isGone ? undefined : answer.status };
  };
  for await (const { name, refusal } of inOrder(await leftovers(client, pruning), MAX_IN_FLIGHT, remove)) {
    if (refusal) reportFailure(io, refusalText(refusal, `error when pruning "${name}"`));
    else output.write(`${qualifiedName(name)} pruned${DRY_RUN_SUFFIX[dryRun]}\n`);
  }
}
