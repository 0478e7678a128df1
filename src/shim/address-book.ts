import { join } from 'node:path';
import { parseName } from '../dns/name.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

/** Addresses of hosts, as they are kept over a reboot. */
export interface AddressBook {
  read(): Promise<Readonly<Record<string, readonly string[]>>>;
  write(addresses: Readonly<Record<string, readonly string[]>>): Promise<void>;
}

export function addressBook(stateDir: string): AddressBook {
  const path = join(stateDir, 'addresses.json');
  return {
    read: async () => readAddresses(await readStateFile(path)),
    write: (addresses) => writeStateFile(path, `${JSON.stringify(addresses)}\n`),
  };
}

/** Only what could have been written. */
function readAddresses(text: string | undefined): Record<string, readonly string[]> {
  const value = parsed(text ?? '');
  const entries = Object.entries(typeof value === 'object' && value !== null ? value : {});
  return Object.fromEntries(
    entries.filter(
      ([host, addresses]) =>
        parseName(host) !== undefined && Array.isArray(addresses) && addresses.every((one) => typeof one === 'string'),
    ),
  );
}

/** Nothing where it was cut off. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
