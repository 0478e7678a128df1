import { describe, expect, it } from 'vitest';
import { SMALL_POOL } from '../support/registry.ts';
import { seedsOf } from './seeds.ts';
import { Simulation, type SimulationOptions } from './simulation.ts';

const few: Omit<SimulationOptions, 'seed'> = {
  pool: SMALL_POOL,
  pinned: '240.240.7.40',
  operations: 1400,
  bigChance: 0.01,
};

describe('writers that meet, fail and die', () => {
  it('take the same steps for the same seed', { timeout: 60_000 }, async () => {
    const options = { ...few, seed: 1, operations: 100, bigChance: 0.03 };
    const [first, again] = [await Simulation.run(options), await Simulation.run(options)];
    expect(again).toEqual(first);
  });

  it.each(seedsOf(11, 12, 13, 14))(
    'keep every invariant over 29 addresses (seed %i)',
    { timeout: 90_000 },
    async (seed) => {
      const { outcomes } = await Simulation.run({ ...few, seed });
      for (const outcome of ['created', 'configured', 'deleted', 'VipPoolExhausted', 'killed']) {
        expect(outcomes.get(outcome), outcome).toBeGreaterThan(0);
      }
    },
  );
});
