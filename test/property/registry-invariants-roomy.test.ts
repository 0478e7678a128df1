import { describe, expect, it } from 'vitest';
import { DEFAULT_POOL } from '../support/registry.ts';
import { seedsOf } from './seeds.ts';
import { Simulation } from './simulation.ts';

describe('writers that meet, fail and die', () => {
  it.each(seedsOf(21, 22, 23))(
    'keep every invariant over the default pool (seed %i)',
    { timeout: 90_000 },
    async (seed) => {
      const { outcomes } = await Simulation.run({ seed, pool: DEFAULT_POOL, operations: 1500, bigChance: 0.01 });
      for (const outcome of ['created', 'configured', 'deleted', 'killed']) {
        expect(outcomes.get(outcome), outcome).toBeGreaterThan(0);
      }
      expect(outcomes.has('VipPoolExhausted')).toBe(false);
    },
  );
});
