import { runNft } from '../capture/nft-command.ts';
import { socketText } from '../socket-address.ts';
import type { Element, Variable } from './elements.ts';
import { TABLE } from './ruleset.ts';

export interface KernelListener {
  /** Of both directions. */
  readonly packets: number;
  readonly octets: number;
  /** `ADDRESS:PORT`, with the slots of 16 that each has where there are several. */
  readonly targets: ReadonlyMap<string, number>;
}

export interface KernelVips {
  /** By address, transport and port. */
  readonly listeners: ReadonlyMap<string, KernelListener>;
  /** Packets to a VIP that leads nowhere. */
  readonly refused: number;
}

/** Of a listener: `240.240.0.1 tcp 9000`. */
export const kernelKey = (vip: string, transport: string, port: number): string => `${vip} ${transport} ${port}`;

interface Concatenated {
  readonly concat: readonly [string, string, number];
}

interface Counted {
  readonly elem: {
    readonly val: Concatenated;
    readonly counter?: { readonly packets: number; readonly bytes: number };
  };
}

type Mapped = readonly [Concatenated, { readonly concat: readonly [string, number] }];

/** One object of nft's JSON; others say nothing of listeners. */
interface NftObject {
  readonly set?: { readonly elem?: readonly Counted[] };
  readonly map?: { readonly name: Variable; readonly elem?: readonly Mapped[] };
  readonly counter?: { readonly name: string; readonly packets: number };
}

interface Draft {
  packets: number;
  octets: number;
  readonly targets: Map<string, number>;
}

/** What `nft -j list table` says. */
export function kernelVips(json: string): KernelVips {
  const { nftables } = JSON.parse(json) as { nftables: readonly NftObject[] };
  const listeners = new Map<string, Draft>();
  const at = ({ concat: [vip, transport, port] }: Concatenated): Draft => {
    const key = kernelKey(vip, transport, port);
    const known = listeners.get(key) ?? { packets: 0, octets: 0, targets: new Map() };
    listeners.set(key, known);
    return known;
  };
  for (const { set, map } of nftables) {
    for (const { elem } of set?.elem ?? []) {
      const listener = at(elem.val);
      listener.packets += elem.counter?.packets ?? 0;
      listener.octets += elem.counter?.bytes ?? 0;
    }
    for (const [key, { concat }] of map?.elem ?? []) {
      const [address, port] = concat;
      const target = socketText({ address, port });
      const { targets } = at(key);
      targets.set(target, (targets.get(target) ?? 0) + 1);
    }
  }
  const refused = nftables.find(({ counter }) => counter?.name === 'refused')?.counter?.packets ?? 0;
  return { listeners, refused };
}

/** The elements of all maps, as `nft -j list table` says them. */
export function kernelTargets(json: string): Element[] {
  const { nftables } = JSON.parse(json) as { nftables: readonly NftObject[] };
  return nftables.flatMap(({ map }) =>
    (map?.elem ?? []).map(([key, value]) => ({
      variable: map?.name ?? 'one4',
      key: key.concat.join(' . '),
      value: value.concat.join(' . '),
    })),
  );
}

const TIMEOUT_MS = 10_000;

/** Reads every element: a tenth of a second for 10,000 listeners. @throws NftError where it is not there, or not for us. */
export const readKernelVips = async (): Promise<KernelVips> => kernelVips(await listTable());

/** Where the kernel sends connections to VIPs at present; nowhere, where there is no table that reads like ours. */
export const readKernelTargets = (): Promise<readonly Element[]> =>
  listTable()
    .then(kernelTargets)
    .catch(() => []);

const listTable = (): Promise<string> => runNft(['-j', 'list', 'table', ...TABLE.split(' ')], TIMEOUT_MS);
