import type { Command } from 'commander';
import type { Family } from '../table/view.ts';
import type { PartialView } from '../table/view-fields.ts';

/** What the flags say of a credential's view; the settings of the server say the rest. */
export interface ViewFlags {
  readonly namespace?: string;
  readonly searchDomain?: readonly string[];
  readonly family?: readonly Family[];
}

/** Whom a credential is for. A program on a VM can connect to a virtual IP, since the shim carries it; others cannot. */
export type ViewPurpose = 'vm' | 'client';

const NONE = '<none>';

const addTo = (text: string, list: readonly string[] = []): readonly string[] => [...list, ...text.split(',')];

export const addViewOptions = (command: Command): Command =>
  command
    .option('-n, --namespace <name>', 'what is exported to this namespace is visible (default: that of the settings)')
    .option('--search-domain <domain>', 'tried as a suffix to take off; repeatable', addTo)
    .option('--family <ipv4|ipv6>', 'families of virtual IPs; repeatable', addTo);

export const hasViewFlags = ({ namespace, searchDomain, family }: ViewFlags): boolean =>
  namespace !== undefined || searchDomain !== undefined || family !== undefined;

export function viewOf({ namespace, searchDomain, family }: ViewFlags, purpose: ViewPurpose | undefined): PartialView {
  return {
    ...(purpose === undefined ? {} : { vips: purpose === 'vm' }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(searchDomain === undefined ? {} : { searchDomains: searchDomain }),
    ...(family === undefined ? {} : { families: family }),
  };
}

/** A view in one cell of a table. */
export function viewText(view: PartialView): string {
  const fields = Object.entries(view).map(([name, value]) => `${name}=${String(value) || NONE}`);
  return fields.join(' ') || NONE;
}
