import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { confirm, distinct, type ExaminedItems } from './dynamodb-examined.ts';
import { createMakeFindable } from './dynamodb-findable.ts';
import { type DirectMend, keysOfMend, transactionOf } from './dynamodb-mend.ts';
import { type Reapplied, reapplyEntry } from './dynamodb-reapply.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import type { WriterOptions } from './dynamodb-writer.ts';
import type { Check, Finding, FsckContext, Mend } from './fsck.ts';
import { type Repair, type ReportedFinding, reported } from './fsck-report.ts';
import { type ItemKey, keyText } from './keys.ts';

export interface Mending {
  readonly source: TableClient;
  readonly options: WriterOptions;
  readonly context: FsckContext;
  readonly repair: boolean;
}

interface Ended {
  readonly repair: Repair;
  readonly reason?: string;
}

/** Writers that change the items all the time are left alone. */
const MOST_TRIES = 5;

const endOf = (reapplied: Reapplied): Ended =>
  reapplied.kind === 'rejected' ? { repair: 'refused', reason: reapplied.message } : { repair: reapplied.kind };

async function commit(
  { source, context }: Mending,
  mend: DirectMend,
  items: ExaminedItems,
  signal: AbortSignal,
): Promise<Ended> {
  const transaction = transactionOf(mend, source.table, items, context);
  const deletes = transaction.some((one) => one.Delete);
  if (transaction.length === 0) return { repair: 'started' };
  try {
    await source.client.send(new TransactWriteItemsCommand({ TransactItems: transaction }), { abortSignal: signal });
    return { repair: mend.kind === 'retireHost' && !deletes ? 'started' : 'done' };
  } catch (error) {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    if (reasons.length === 0 || reasons.some(({ Code }) => Code === 'ValidationError')) throw error;
    return { repair: 'changedMeanwhile' };
  }
}

async function mendWith(mending: Mending, mend: Mend, items: ExaminedItems, signal: AbortSignal): Promise<Ended> {
  const { source, options } = mending;
  switch (mend.kind) {
    case 'reapply':
      return endOf(await reapplyEntry(source, options, mend.entry, signal));
    case 'makeFindable': {
      const claims = items.host(mend.host)?.claims.values() ?? [];
      await createMakeFindable(source)([...claims], new Set(), signal);
      return { repair: 'done' };
    }
    default:
      return commit(mending, mend, items, signal);
  }
}

const idOf = ({ code, items }: Finding): string => [code, ...items.map(keyText)].join(' ');

/** What is found on one committed state, with all that mending it needs to know of that state. */
async function findingsNow({ source, repair }: Mending, check: Check, keys: readonly ItemKey[], signal: AbortSignal) {
  const seen = await confirm(source, check, keys, signal);
  const more = repair ? seen.findings.flatMap(({ mend }) => (mend ? keysOfMend(mend) : [])) : [];
  const all = distinct([...seen.items.asked, ...more]);
  return all.length === seen.items.asked.length ? seen : confirm(source, check, all, signal);
}

/**
 * Confirms what a check suspects, and mends it under conditions on all that the mend relies on: what somebody changes
 * in between is looked at again, and then left to a later run.
 */
export async function examine(
  mending: Mending,
  check: Check,
  keys: readonly ItemKey[],
  signal: AbortSignal,
): Promise<ReportedFinding[]> {
  const told = new Map<string, { readonly finding: Finding; readonly ended: Ended }>();
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { findings, items } = await findingsNow(mending, check, keys, signal);
    for (const finding of findings) {
      if (told.has(idOf(finding))) continue;
      told.set(idOf(finding), { finding, ended: { repair: finding.mend ? 'possible' : 'person' } });
    }
    const open = findings.find((finding) => {
      const repair = told.get(idOf(finding))?.ended.repair;
      return finding.mend && (repair === 'possible' || repair === 'changedMeanwhile');
    });
    if (!mending.repair || !open?.mend) break;
    told.set(idOf(open), { finding: open, ended: await mendWith(mending, open.mend, items, signal) });
  }
  return [...told.values()].map(({ finding, ended }) => reported(finding, ended.repair, ended.reason));
}
