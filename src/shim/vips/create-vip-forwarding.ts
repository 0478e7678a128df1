import { applyNft } from '../capture/nft-command.ts';
import { messageOf } from '../message-of.ts';
import { readKernelTargets } from './kernel-listeners.ts';
import { vipCounterReader } from './listener-counters.ts';
import { type AskOutside, lookUpWith } from './look-up.ts';
import { NftSession } from './nft-session.ts';
import { addRoutes, removeRoutes, routeClash } from './routes.ts';
import { REMOVE_TABLE } from './ruleset.ts';
import { forgetUdpFlows } from './udp-flows.ts';
import { VipForwarding } from './vip-forwarding.ts';
import { createVipMemory, readVipMemory } from './vip-memory.ts';

export interface VipOptions {
  readonly stateDir: string;
  /** Asks by the route of a name, else the host's own resolvers; never meshdoh, which would answer with the VIP. */
  readonly askOutside: AskOutside;
  readonly log: (line: string) => void;
}

/** The forwarding of this host's VIPs, by its kernel. */
export async function createVipForwarding({ stateDir, askOutside, log }: VipOptions): Promise<VipForwarding> {
  const session = new NftSession();
  const now = () => performance.now();
  const { remember, save } = createVipMemory(stateDir, log);
  return new VipForwarding({
    nft: {
      apply: applyNft,
      send: (commands) => session.send(commands),
      close: () => {
        session.close();
        void save();
      },
    },
    routes: { clash: routeClash, add: addRoutes, remove: removeRoutes },
    held: readKernelTargets,
    forgetUdpFlows,
    lookUp: lookUpWith(askOutside),
    memory: await readVipMemory(stateDir),
    remember,
    counters: vipCounterReader(now),
    log,
    now,
  });
}

/** Takes rules and routes away. Does nothing where there are none. */
export async function removeVipForwarding(stateDir: string): Promise<void> {
  const { prefixes } = await readVipMemory(stateDir);
  await applyNft(REMOVE_TABLE);
  await removeRoutes(prefixes);
}

/** Whether this process may keep the rules; why not, otherwise. */
export async function vipsUnavailable(): Promise<string | undefined> {
  try {
    await applyNft('add table inet mesh_vip_probe\ndelete table inet mesh_vip_probe\n', { check: true });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
