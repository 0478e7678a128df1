import { listenText } from '../settings/listen-address.ts';
import type { ListenAddress } from '../settings.ts';
import { CommandFailure } from './failure.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this user may not listen on that port',
  ENOTFOUND: 'the name has no address',
};

/**
 * Opens a listener at the address that `option` gives.
 * @throws CommandFailure that names both, where the operating system refuses.
 */
export async function openAt<T>(
  option: string,
  at: ListenAddress,
  open: (at: { address: string; port: number }) => Promise<T>,
): Promise<T> {
  try {
    return await open({ address: at.host, port: at.port });
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw error;
    const text = `cannot listen on ${listenText(at)}: ${reason}: choose another address with ${option}`;
    throw new CommandFailure(text, { cause: error });
  }
}
