import { spawn } from 'node:child_process';
import { once } from 'node:events';

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
  const args = check ? ['-c', '-f', '-'] : ['-f', '-'];
  const child = spawn('nft', args, { stdio: ['pipe', 'ignore', 'pipe'], env: { PATH }, timeout: TIMEOUT_MS });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  // It ends before it has read everything when it cannot start: 'error' or the exit code tells.
  child.stdin.on('error', () => undefined).end(ruleset);
  const [code] = await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    const message = error.code === 'ENOENT' ? 'the nft command is not there (package nftables)' : error.message;
    throw new NftError(message, { cause: error });
  });
  if (code !== 0) throw new NftError(said.trim().split('\n')[0] || `nft ended with ${code}`);
}
