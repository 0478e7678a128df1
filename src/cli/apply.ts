import { type Command, Option } from 'commander';
import { invalidObject } from '../http/status.ts';
import type { ManifestDocument } from '../serviceentry/manifest.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type ApplyTarget, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { DRY_RUN_SUFFIX, type DryRun, dryRunOption } from './dry-run.ts';
import { CommandFailure, refusalText, reportFailure, reporting } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-session.ts';
import { inOrder, oneByOne } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { type ManifestOptions, readManifests } from './manifest-files.ts';
import { formatObject, formatObjects, OBJECT_FORMATS, type ObjectFormat, qualifiedName } from './object-output.ts';
import { createProgress } from './progress.ts';
import { readTarget } from './target.ts';
import { verb } from './verb.ts';

interface ApplyOptions extends ConnectionOptions, ManifestOptions {
  readonly namespace?: string;
  readonly dryRun: DryRun;
  readonly output?: ObjectFormat;
}

/** What became of one object. */
type Result = { readonly warnings: readonly string[] } & (
  | { readonly ok: true; readonly outcome: string; readonly entry: ServiceEntry }
  | { readonly ok: false; readonly problem: string }
);

/** Judged here; the server is asked only whether there is one already. */
async function judge(client: AdminClient, target: ApplyTarget, during: string): Promise<Result> {
  const { namespace, name, value } = target;
  const judged = validateServiceEntry(value, { defaultNamespace: namespace });
  if (!judged.ok) {
    return { ok: false, warnings: [], problem: refusalText(invalidObject(name, judged.errors), during) };
  }
  const existing = await client.get(target);
  return {
    ok: true,
    warnings: judged.warnings,
    outcome: existing.ok ? 'configured' : 'created',
    entry: judged.entry,
  };
}
