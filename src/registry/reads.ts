/** Items that a plan cannot do without, to be read in one round trip. */
export interface Reads {
  readonly entry: boolean;
  readonly hosts: readonly string[];
  readonly blocks: readonly { readonly poolId: string; readonly number: number }[];
  /** Every block of the active pool. */
  readonly allBlocks: boolean;
  readonly vips: readonly { readonly poolId: string; readonly slot: number }[];
}

export const NO_READS: Reads = { entry: false, hosts: [], blocks: [], allBlocks: false, vips: [] };

export interface NeedsReads {
  readonly kind: 'reads';
  readonly reads: Reads;
}
