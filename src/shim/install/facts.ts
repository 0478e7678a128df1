import { networkInterfaces } from 'node:os';
import { dnsSockets } from '../capture/exempt-users.ts';
import { HostFiles } from '../capture/host-files.ts';
import { applyNft, PATH } from '../capture/nft-command.ts';
import { REMOVE_NFT_TABLE } from '../capture/nft-ruleset.ts';
import { ResolverFiles, type RunCommand } from '../capture/resolver-files.ts';
import { runCommand } from '../capture/run-command.ts';
import type { ShimSettings } from '../settings.ts';
import { removeVipForwarding } from '../vips/create-vip-forwarding.ts';
import type { InstallFacts } from './plan.ts';

/** The host that is changed; a test has one of its own. */
export interface InstallHost {
  readonly files: HostFiles;
  readonly run: RunCommand;
  /** Removes our nft tables and routes; a host without nft has none. */
  readonly removeRules: (stateDir: string) => Promise<void>;
  readonly isRoot: boolean;
  readonly node: string;
  readonly script: string;
  readonly settingsFile: string;
}

export const thisHost = (settingsFile: string): InstallHost => ({
  files: new HostFiles(),
  run: runCommand,
  removeRules,
  isRoot: process.getuid?.() === 0,
  node: process.execPath,
  script: process.argv[1] ?? '',
  settingsFile,
});

async function removeRules(stateDir: string): Promise<void> {
  await applyNft(REMOVE_NFT_TABLE).catch(() => undefined);
  await removeVipForwarding(stateDir).catch(() => undefined);
}

export async function collectInstallFacts(host: InstallHost, settings: ShimSettings): Promise<InstallFacts> {
  const { files, node, script, settingsFile } = host;
  const passwd = (await files.read('/etc/passwd')) ?? '';
  const nft = await Promise.all(PATH.split(':').map((folder) => files.exists(`${folder}/nft`)));
  return {
    resolver: await new ResolverFiles(settings, { host: files, run: host.run }).facts(),
    takenAddresses: takenAddresses((await files.read('/proc/net/udp')) ?? ''),
    ipv6: Object.values(networkInterfaces()).some((infos) => infos?.some(({ address }) => address === '::1')),
    nft: nft.includes(true),
    systemd: await files.exists('/run/systemd/system'),
    userExists: passwd.split('\n').some((line) => line.startsWith(`${settings.user}:`)),
    node,
    script,
    settingsFile,
    settingsText: await files.read(settingsFile),
  };
}

/** Of `/proc/net/udp`: who has port 53, the wildcard as every loopback address that we would take. */
export function takenAddresses(procNetUdp: string): string[] {
  const taken = dnsSockets(procNetUdp).map(({ address }) => addressOf(address));
  return taken.includes('0.0.0.0') ? ['127.0.0.1', '127.0.53.1'] : taken;
}

/** Octets in the order of the machine: `0100007F` is 127.0.0.1. */
const addressOf = (hex: string): string => [...Buffer.from(hex, 'hex')].toReversed().join('.');
