import type { Resolution } from './claim.ts';

const LABEL = 'networking.istio.io/enable-autoallocate-ip';

/** Whether automatic addresses are possible at all: a resolution other than NONE, and no opt-out by label. */
export function allowsAutoAllocation(
  resolution: Resolution,
  labels: Readonly<Record<string, string | undefined>> = {},
): boolean {
  return resolution !== 'NONE' && labels[LABEL]?.toLowerCase() !== 'false';
}
