import type { NetworkInterfaceInfo } from 'node:os';

export interface Bridge {
  readonly name: string;
  /** Its own, link-local ones with their zone. */
  readonly addresses: readonly string[];
}

/** The interfaces that `patterns` (`docker0`, `br-*`) mean, of those that are up with an address. */
export function bridgesOf(
  patterns: readonly string[],
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): Bridge[] {
  const means = (name: string) => patterns.some((pattern) => matches(name, pattern));
  return Object.entries(interfaces)
    .filter(([name]) => means(name))
    .map(([name, infos = []]) => ({ name, addresses: infos.map((info) => zoned(name, info)) }));
}

/** Whether `pattern` means the interface. */
export const matches = (name: string, pattern: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

const zoned = (name: string, { address, family }: NetworkInterfaceInfo): string =>
  family === 'IPv6' && address.toLowerCase().startsWith('fe80:') ? `${address}%${name}` : address;
