import type { MeshTable } from '../table/mesh-table.ts';
import type { Log } from './log.ts';
import type { Gauge } from './metrics.ts';
import type { ShimSettings } from './settings.ts';
import type { AskOutside } from './vips/look-up.ts';

/** Which of a host's virtual IPs lead anywhere: a translation cannot cross families. */
export interface Reachable {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** What carries connections to virtual IPs to their endpoints. */
export interface VipCarrier {
  /** Resolves when the table is carried, as far as it can be; `changed`: the hosts that differ, or all. Never rejects. */
  update(table: MeshTable, changed?: ReadonlySet<string>): Promise<void>;
  /** Before a virtual IP of this host is answered; undefined: not a host whose connections are carried here. */
  ready(host: string): Promise<Reachable | undefined>;
  state(): { readonly kind: string };
  /** What was carried, and refused, so far. */
  counters(): Promise<readonly Gauge[]>;
  stop(): Promise<void>;
}

export interface VipCarrierPorts {
  /** Puts a query to the route of its name, else to the host's own resolvers, never to the endpoints. */
  readonly askOutside: AskOutside;
  readonly log: Log;
}

/** Undefined where virtual IPs cannot be carried: they are then not asked for. */
export type OpenVipCarrier = (settings: ShimSettings, ports: VipCarrierPorts) => Promise<VipCarrier | undefined>;
