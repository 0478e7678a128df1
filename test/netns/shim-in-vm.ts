import type { CaptureSettings } from '../../src/shim/capture/capture.ts';
import { Running } from './commands.ts';
import { inVm, NODE, type VmHost } from './vm-host.ts';

export const SHIM_UID = 1053;
const STAND_IN = inVm('stand-in-shim.ts');

export const LOOPBACK = [
  { address: '127.0.0.1', port: 15053 },
  { address: '::1', port: 15053 },
];

export const NFT_SETTINGS: CaptureSettings = {
  capture: 'nft',
  listen: LOOPBACK,
  bridges: ['docker0'],
  exemptUsers: [],
  stateDir: '/var/lib/meshdoh',
};

/** The command line that runs another one as a user, with these capabilities and no more. */
export function asUser(user: string, capabilities: readonly string[], command: readonly string[]): string[] {
  const kept = capabilities.map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`).join(',');
  const ambient = kept === '' ? [] : [`--inh-caps=${kept}`, `--ambient-caps=${kept}`];
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs', ...ambient, ...command];
}

export const asShim = (...command: string[]): string[] =>
  asUser(String(SHIM_UID), ['CAP_NET_ADMIN', 'CAP_NET_BIND_SERVICE'], command);

/** Runs it in the VM until it is ready. */
export async function startStandIn(vm: VmHost, settings: CaptureSettings, { root = false } = {}): Promise<Running> {
  const command = [NODE, STAND_IN, JSON.stringify(settings)];
  const [nsenter, ...args] = vm.enter(...(root ? command : asShim(...command)));
  const shim = new Running(nsenter, args);
  await shim.says('ready: ');
  return shim;
}
