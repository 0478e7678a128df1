import { type CommandError, readCommand } from './run-command.ts';

/** The kernel or the command refused; `message` is what nft said first. */
export class NftError extends Error {
  override readonly name = 'NftError';
}

/** Longer than the largest set takes on a busy machine; a command that hangs must not hang us. */
const TIMEOUT_MS = 5000;
/** Where distributions put nft; a service's PATH may hold none of it. */
export const PATH = '/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin';

/**
 * Runs a ruleset as one transaction, or with `check` only asks whether it would.
 *
 * @throws NftError
 */
export async function applyNft(ruleset: string, { check = false } = {}): Promise<void> {
  await runNft([...(check ? ['-c'] : []), '-f', '-'], TIMEOUT_MS, ruleset);
}

/** Resolves to what nft writes. @throws NftError */
export async function runNft(args: readonly string[], timeout: number, input = ''): Promise<string> {
  try {
    return await readCommand(['nft', ...args], { input, timeout, env: { PATH } });
  } catch (error) {
    const { isMissing, reason } = error as CommandError;
    throw new NftError(isMissing ? 'the nft command is not there (package nftables)' : reason, { cause: error });
  }
}
