import { expect, it } from 'vitest';
import { SystemResolvers } from '../../src/shim/system-resolvers.ts';

it('knows the search domains of the host as names, without the root and what is no name', async () => {
  let search = ['Office.Example.', '.', '', 'a..b'];
  let now = 0;
  const system = new SystemResolvers(
    async () => ({ servers: [], search }),
    () => now,
  );
  expect(system.search).toEqual(new Set());
  await system.current();
  expect(system.search).toEqual(new Set(['office.example']));
  search = ['lab.example'];
  now = 60_000;
  await system.current();
  expect(system.search).toEqual(new Set(['lab.example']));
  system.close();
});
