export const UNIT = 'meshdoh-shim.service';
export const RESOLVER_PATH_UNIT = 'meshdoh-shim-resolver.path';
export const RESOLVER_UNIT = 'meshdoh-shim-resolver.service';

export interface UnitContent {
  /** Absolute path of Node. */
  readonly node: string;
  /** Absolute path of the shim's file. */
  readonly script: string;
  readonly settingsFile: string;
  readonly user: string;
  readonly stateDir: string;
  /** Loads nft tables and routes. */
  readonly netAdmin: boolean;
  /** Listens on a port below 1024. */
  readonly lowPort: boolean;
  /** Has queries redirected, so that its table is deleted by whoever ends it. */
  readonly nftCapture: boolean;
}

const NFT = '/usr/sbin/nft';
const STATE_ROOT = '/var/lib/';
/** With room for the table of a whole pool, 65,000 hosts, while its successor is read; V8 collects as often as below it. */
const NODE_FLAGS = '--max-semi-space-size=4 --max-old-space-size=320';

/**
 * The service. A shim that ends or hangs gives DNS back: systemd kills one that says nothing for `WatchdogSec` with a
 * signal that ends a stopped process, too, and `ExecStopPost` runs as root however it ended.
 */
export function serviceUnit(content: UnitContent): string {
  const { node, script, settingsFile, user, stateDir, netAdmin, lowPort, nftCapture } = content;
  const run = `${node} ${NODE_FLAGS} ${script}`;
  const capabilities = [...(netAdmin ? ['CAP_NET_ADMIN'] : []), ...(lowPort ? ['CAP_NET_BIND_SERVICE'] : [])].join(' ');
  const state = stateDir.startsWith(STATE_ROOT)
    ? `StateDirectory=${stateDir.slice(STATE_ROOT.length)}`
    : `ReadWritePaths=${stateDir}`;
  return `[Unit]
Description=DNS of this host over HTTPS, with the names of the mesh
Wants=network-online.target
After=network-online.target nftables.service firewalld.service ufw.service
Before=nss-lookup.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
User=${user}
ExecStart=${run} run --settings ${settingsFile}
# As root: the resolver's files are. The first once it is ready, the others however it ended.
ExecStartPost=-+${run} capture --settings ${settingsFile}
${nftCapture ? `ExecStopPost=-+${NFT} delete table inet mesh_dns\n` : ''}ExecStopPost=-+${run} release --settings ${settingsFile}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
WatchdogSec=4
WatchdogSignal=SIGKILL
TimeoutStartSec=30
TimeoutStopSec=10
${state}
StateDirectoryMode=0755
AmbientCapabilities=${capabilities}
CapabilityBoundingSet=${capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
SystemCallErrorNumber=EPERM
UMask=0022
MemoryMax=640M
TasksMax=32
LimitNOFILE=16384
# No MemoryDenyWriteExecute: the compiler of JavaScript changes pages from writable to executable.

[Install]
WantedBy=multi-user.target
`;
}

/** Runs the one below when somebody else writes `/etc/resolv.conf`, or the mesh has other zones. */
export const resolverPathUnit = ({ stateDir }: Pick<UnitContent, 'stateDir'>): string => `[Unit]
Description=Watch who else changes the resolver of this host
PartOf=${UNIT}
After=${UNIT}

[Path]
PathChanged=/etc/resolv.conf
PathChanged=${stateDir}/zones.json

[Install]
WantedBy=${UNIT}
`;

export const resolverUnit = ({ node, script, settingsFile }: UnitContent): string => `[Unit]
Description=Point the resolver of this host at the shim again
Requisite=${UNIT}
After=${UNIT}

[Service]
Type=oneshot
ExecStart=${node} ${script} capture --settings ${settingsFile}
ProtectHome=yes
PrivateTmp=yes
NoNewPrivileges=yes
`;
