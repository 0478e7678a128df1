import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { CANARY_ADDRESS, canaryName } from '../capture/canary.ts';
import { within } from '../within.ts';

/** glibc gives up after ten; longer than that nobody waits for a status. */
const TIMEOUT_MS = 4000;

/** Whether a program of this host that looks up a name asks the shim, by whatever way its resolver is set up. */
export async function reachesShim(): Promise<boolean> {
  const name = canaryName(`status-${randomBytes(8).toString('hex')}`);
  try {
    const found = await within(TIMEOUT_MS, lookup(name, { family: 4 }));
    return found?.address === CANARY_ADDRESS;
  } catch {
    return false;
  }
}
