import { type Command, failed } from '../command.ts';
import { messageOf } from '../message-of.ts';
import { CaptureRefusedError, type CaptureSettings } from './capture.ts';
import { HostFiles } from './host-files.ts';
import { refuseLoop } from './loop.ts';
import { applyNft } from './nft-command.ts';
import { REMOVE_NFT_TABLE } from './nft-ruleset.ts';
import { ResolverFiles, readZones } from './resolver-files.ts';
import { isLoopback, silenceText } from './resolver-plan.ts';
import { runCommand } from './run-command.ts';
import { selfCheck } from './self-check.ts';

const WAIT_MS = 5000;
const RETRY_MS = 100;

/**
 * `meshdoh-shim capture`, for root beside a shim that is not: points the resolver at it once it answers, and back if
 * it does not. For the service, when it is ready and whenever somebody else has written `/etc/resolv.conf`.
 */
export const capture: Command = async (settings, io) => {
  if (settings.capture === 'none') return 0;
  const { host, files } = hostOf(settings);
  if (!(await answersSoon(settings))) {
    await files.restore();
    return failed(io, `${silenceText(settings.listen)}: DNS is left with the system`);
  }
  try {
    const zones = await readZones(host, settings.stateDir);
    if (await files.isApplied(zones)) return 0;
    await refuseLoop(host, settings);
    const { how, written } = await files.apply(zones);
    if (written.length > 0)
      io.stdout.write(`DNS of this host goes to the shim by ${how}: wrote ${written.join(', ')}\n`);
    return 0;
  } catch (error) {
    await files.restore();
    return failed(io, error instanceof CaptureRefusedError ? `refused: ${error.message}` : messageOf(error));
  }
};

/** `meshdoh-shim release`: gives DNS back to the system, whatever had it captured. For whoever ends the service. */
export const release: Command = async (settings, io) => {
  await hostOf(settings).files.restore();
  if (settings.capture !== 'nft') return 0;
  try {
    await applyNft(REMOVE_NFT_TABLE);
    return 0;
  } catch (error) {
    return failed(io, messageOf(error));
  }
};

function hostOf(settings: CaptureSettings): { host: HostFiles; files: ResolverFiles } {
  const host = new HostFiles();
  return { host, files: new ResolverFiles(settings, { host, run: runCommand }) };
}

/** A service that has just been started needs a moment. */
async function answersSoon({ listen }: CaptureSettings): Promise<boolean> {
  const loopback = listen.filter(isLoopback);
  for (const end = Date.now() + WAIT_MS; ; ) {
    if (await selfCheck(loopback)) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
