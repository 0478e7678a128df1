import type { RegistryReader } from '../registry/reader.ts';

/** Of a resolver that owns no name but the special ones: everything else is put to somebody. */
export const NOBODYS: RegistryReader = {
  find: async () => ({ state: 'known', stale: false, hosts: new Map(), existsBelow: false }),
  vipPrefixes: async () => ({ state: 'known', prefixes: [] }),
  holderOf: async () => ({ state: 'free', stale: false }),
};
