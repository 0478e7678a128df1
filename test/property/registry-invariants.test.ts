import { describe, expect, it } from 'vitest';
import { DEFAULT_POOL, SMALL_POOL } from '../support/registry.ts';
import { Simulation, type SimulationOptions } from './simulation.ts';

const given = process.env.MESHDOH_SEED === undefined ? undefined : Number(process.env.MESHDOH_SEED);

const seeds = (...usual: number[]): number[] => (given === undefined ? usual : [given]);

async function simulate(options: SimulationOptions): Promise<void> {
  const { outcomes } = await Simulation.run(options);
  expect(Object.fromEntries(outcomes)).toMatchObject({ created: expect.any(Number), deleted: expect.any(Number) });
}

describe('writers that meet, fail and die', () => {
  it('take the same steps for the same seed', async () => {
    const options = { seed: given ?? 1, pool: SMALL_POOL, operations: 150 };
    const [first, again] = [await Simulation.run(options), await Simulation.run(options)];
    expect(again).toEqual(first);
  });

  it.each(seeds(11, 12, 13, 14))('keep every invariant over 29 addresses (seed %i)', { timeout: 60_000 }, (seed) =>
    simulate({ seed, pool: SMALL_POOL, pinned: '240.240.7.40', operations: 1500 }),
  );

  it.each(seeds(21, 22, 23))('keep every invariant over the default pool (seed %i)', { timeout: 60_000 }, (seed) =>
    simulate({ seed, pool: DEFAULT_POOL, operations: 1500 }),
  );
});
