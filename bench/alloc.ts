import { parseArgs } from 'node:util';
import { measureAllocationCost } from './alloc/allocation-cost.ts';
import { measureCommandLine, profileServer } from './alloc/command-line.ts';
import { measureConcurrentApplies } from './alloc/concurrent-applies.ts';
import { measureManyEntries } from './alloc/many-entries.ts';
import { figure, print, printMachine } from './measure/report.ts';

const { values } = parseArgs({
  options: {
    /** How many entries make many. */
    entries: { type: 'string', default: '10000' },
    /** Where the time of an apply goes, and nothing else. */
    profile: { type: 'boolean', default: false },
  },
});
const entries = Number(values.entries);

const MOST_ROUND_TRIPS = 3;
const GOAL_RATIO = 1.5;

async function measure(): Promise<boolean> {
  const cost = await measureAllocationCost();
  const crowd = await measureConcurrentApplies();
  const many = await measureManyEntries(entries);
  const command = await measureCommandLine(entries);
  const errors = crowd.errors + many.errors + command.errors;
  const duplicates = cost.duplicates + crowd.duplicates + many.duplicates;
  const bounds = [
    { what: 'round trips of an allocation', value: cost.mostRoundTrips, most: MOST_ROUND_TRIPS },
    { what: 'errors', value: errors, most: 0 },
    { what: 'duplicate virtual IPs', value: duplicates, most: 0 },
  ];
  print('');
  for (const { what, value, most } of bounds) {
    print(`bound: ${what}: ${value}, at most ${most}: ${value <= most ? 'kept' : 'BROKEN'}`);
  }
  const goal = cost.ratio <= GOAL_RATIO ? 'reached' : 'missed';
  print(`goal: round trips at 99.9 % ÷ at 0 %: ${figure(cost.ratio)}, at most ${GOAL_RATIO}: ${goal}`);
  return bounds.every(({ value, most }) => value <= most);
}

printMachine();
if (values.profile) await profileServer(entries);
else if (!(await measure())) process.exitCode = 1;
