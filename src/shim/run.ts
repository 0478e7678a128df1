import { type Capture, createCapture } from './capture/capture.ts';
import { HostFiles } from './capture/host-files.ts';
import { readOriginalResolvers } from './capture/original-resolvers.ts';
import { type Command, type CommandIo, endpointMissing, failed } from './command.ts';
import { createLog, type Log } from './log.ts';
import { messageOf } from './message-of.ts';
import type { ShimSettings } from './settings.ts';
import { SHIM_KEYS } from './settings-keys.ts';
import { Shim } from './shim.ts';
import { addressWithPort, socketText } from './socket-address.ts';
import type { OriginalServers } from './system-resolvers.ts';
import { type ServiceManager, serviceManager } from './systemd-notify.ts';
import type { OpenVipCarrier } from './vip-carrier.ts';
import { createVipForwarding, vipsUnavailable } from './vips/create-vip-forwarding.ts';

const DNS_PORT = 53;

/** Answers DNS until told to stop (SIGTERM, SIGINT); SIGHUP reads the settings again. */
export const run: Command = async (settings, io) => {
  if (settings.endpoints.length === 0) return failed(io, endpointMissing(io));
  const log = createLog(settings.log, (line) => io.stderr.write(`${line}\n`));
  const manager = serviceManager(io.environment, process.pid);
  const stopped = untilStopped();
  let capture: Capture | undefined;
  const shim = await Shim.open({
    settings,
    log,
    originalServers: () => originalServers(settings),
    openVips,
    metadataEndpoint: io.environment.AWS_EC2_METADATA_SERVICE_ENDPOINT,
    more: () => ({ capture: capture?.state() ?? { kind: 'off' } }),
  });
  try {
    capture = createCapture(settings, captureOptions(shim, log));
    await capture.start();
    log.info(`answering DNS at ${shim.addresses.map(socketText).join(', ')}; endpoints: ${originsOf(settings)}`);
    const watchdog = announce(shim, manager);
    const hup = reloadOnHangup(shim, settings, io, log);
    await stopped;
    process.off('SIGHUP', hup);
    clearInterval(watchdog);
    void manager.tell('STOPPING=1');
  } finally {
    // Capture first: from here on programs ask whom they asked before, and what they have asked is still answered.
    await capture?.stop();
    await shim.close();
  }
  return 0;
};

/** This host's settings cannot be followed here. */
class ShimVipsError extends Error {
  override readonly name = 'ShimVipsError';
}

const openVips: OpenVipCarrier = async ({ vips, stateDir }, { askOutside, log }) => {
  const reason = await vipsUnavailable();
  if (reason === undefined) return createVipForwarding({ stateDir, askOutside, log: (line) => log.info(line) });
  if (vips === 'nft') throw new ShimVipsError(`virtual IPs cannot be carried here ("vips" is "nft"): ${reason}`);
  log.info(`virtual IPs are not carried on this host, and not asked for: ${reason}`);
  return undefined;
};

/** Without a path, which could hold what is nobody's business. */
const originsOf = ({ endpoints }: ShimSettings): string => endpoints.map((url) => new URL(url).origin).join(', ');

const captureOptions = (shim: Shim, log: Log) => ({
  selfCheck: () => shim.selfCheck(),
  listen: (at: { address: string; port: number }) => shim.listenAlso(at),
  log: (line: string) => log.info(line),
  zones: () => shim.zones,
});

async function originalServers(settings: ShimSettings): Promise<OriginalServers> {
  const { servers, search } = await readOriginalResolvers(new HostFiles(), settings);
  const read = servers.map(addressWithPort(DNS_PORT));
  return { servers: read.flatMap((reading) => (reading.ok ? [reading.value] : [])), search };
}

/**
 * Four times within what the watchdog allows, since a busy host may be late; and only while queries are answered: it is
 * for the hang as much as for the crash. Nobody waits for it to be heard: that may take a manager as long as it likes.
 */
function announce(shim: Shim, manager: ServiceManager): NodeJS.Timeout | undefined {
  void manager.tell('READY=1');
  if (manager.watchdogMs === undefined) return undefined;
  return setInterval(async () => {
    if (await shim.selfCheck()) void manager.tell('WATCHDOG=1');
  }, manager.watchdogMs / 4);
}

/** What is fixed for the life of a process. */
const FIXED = [
  'capture',
  'bridge',
  'exempt-user',
  'vips',
  'state-dir',
  'cache-bytes',
  'stale-max',
  'metrics-listen',
] as const;

/** One reload after the other. Settings that cannot be used change nothing. */
function reloadOnHangup(shim: Shim, first: ShimSettings, io: CommandIo, log: Log): () => void {
  let reloading = Promise.resolve();
  let current = first;
  const reload = async () => {
    try {
      const settings = io.readSettings();
      await shim.reload(settings);
      const fixed = FIXED.filter((key) => {
        const { setting } = SHIM_KEYS[key];
        return JSON.stringify(settings[setting]) !== JSON.stringify(current[setting]);
      });
      current = settings;
      log.info('settings read again');
      if (fixed.length > 0) log.warn(`in effect after a restart only: ${fixed.join(', ')}`);
    } catch (error) {
      log.warn(`settings not taken over: ${messageOf(error)}`);
    }
  };
  const onHangup = () => {
    reloading = reloading.then(reload);
  };
  process.on('SIGHUP', onHangup);
  return onHangup;
}

/** A second signal ends the process at once. */
function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  return promise;
}
