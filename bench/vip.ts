import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { must, need } from '../test/netns/commands.ts';
import { Network } from '../test/netns/network.ts';
import { figure, median, megabytes, print, printMachine, printTable, spread } from './measure/report.ts';
import { type Carrier, ECHO_PORT, IPERF_PORT, openCarriers } from './vip/carriers.ts';

const here = join(import.meta.dirname, 'vip');
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  print(
    'node bench/vip.ts [--rounds 5] [--seconds 3]: what carrying virtual IPs costs; needs root, iproute2, nftables, iperf3',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
const { seconds } = values;

interface Connections {
  readonly perSecond: number;
  readonly microseconds: number;
  readonly failed: number;
}

async function connections(network: Network, carrier: Carrier, clients: number): Promise<Connections> {
  const script = [process.execPath, join(here, 'connections.ts'), carrier.address, String(carrier.port(ECHO_PORT))];
  const measured = JSON.parse(await must(...network.in('vm', ...script, String(clients), seconds))) as Connections;
  if (measured.failed > 0) throw new Error(`${carrier.name}: ${measured.failed} connections failed`);
  return measured;
}

async function throughput(network: Network, carrier: Carrier): Promise<number> {
  const iperf = ['iperf3', '-J', '-c', carrier.address, '-p', String(carrier.port(IPERF_PORT)), '-t', seconds];
  const { end } = JSON.parse(await must(...network.in('vm', ...iperf))) as {
    end: { sum_received: { bits_per_second: number } };
  };
  return end.sum_received.bits_per_second / 1e9;
}

interface Aspect {
  readonly what: string;
  readonly unit: string;
  readonly measure: (network: Network, carrier: Carrier) => Promise<number>;
  /** Of the ratio to a direct connection. */
  readonly goal: string;
  readonly isReached: (ratio: number) => boolean;
}

const ASPECTS: readonly Aspect[] = [
  {
    what: 'throughput',
    unit: 'Gbit/s',
    measure: throughput,
    goal: '≥ 0.95',
    isReached: (ratio) => ratio >= 0.95,
  },
  {
    what: 'new connections/s, 16 clients',
    unit: 'connections/s',
    measure: async (network, carrier) => (await connections(network, carrier, 16)).perSecond,
    goal: '≥ 0.85',
    isReached: (ratio) => ratio >= 0.85,
  },
  {
    what: 'connect and one octet back, p50, 1 client',
    unit: 'µs',
    measure: async (network, carrier) => (await connections(network, carrier, 1)).microseconds,
    goal: '≤ 1.1',
    isReached: (ratio) => ratio <= 1.1,
  },
];

/** By carrier, then by round. */
type Results = readonly (readonly number[])[];

/** Each aspect by itself, so that it does not meet the connections of another that the kernel still tracks. */
async function measureAll(network: Network, carriers: readonly Carrier[], aspect: Aspect): Promise<Results> {
  const results = carriers.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, carrier] of carriers.entries()) results[index]?.push(await aspect.measure(network, carrier));
  }
  return results;
}

async function dataPath(): Promise<void> {
  const { network, carriers } = await openCarriers();
  const rows: string[][] = [];
  const direct: string[] = [];
  try {
    for (const aspect of ASPECTS) {
      const results = await measureAll(network, carriers, aspect);
      const [first = []] = results;
      const ratios = results.map((all) => all.map((value, round) => value / (first[round] ?? Number.NaN)));
      const isReached = aspect.isReached(median(ratios[1] ?? []));
      rows.push([aspect.what, ...ratios.map(spread), aspect.goal, isReached ? 'reached' : 'missed']);
      direct.push(`${figure(median(first))} ${aspect.unit}`);
    }
  } finally {
    await network.remove();
  }
  const title = `The way to an endpoint; direct = 1, ratios of each of ${rounds} rounds, median (least–most)`;
  printTable(title, ['', ...carriers.map(({ name }) => name), 'goal', ''], rows);
  print(`\ndirect: ${direct.join(', ')}`);
}

interface Many {
  readonly fillMs: number;
  readonly changeMs: number;
  readonly grownOctets: number;
}

async function manyListeners(): Promise<void> {
  const network = await Network.create();
  try {
    const script = join(here, 'many-listeners.ts');
    const said = await must(
      ...network.in('vm', process.execPath, '--expose-gc', '--max-semi-space-size=4', script, '10000'),
    );
    const { fillMs, changeMs, grownOctets } = JSON.parse(said) as Many;
    const row = (what: string, value: string, goal: string, reached: boolean) => [
      what,
      value,
      goal,
      reached ? 'reached' : 'missed',
    ];
    printTable(
      '10,000 listeners',
      ['', 'measured', 'goal', ''],
      [
        row('first fill, nft', `${figure(fillMs)} ms`, '< 500 ms', fillMs < 500),
        row('one change, nft', `${figure(changeMs)} ms`, '< 10 ms', changeMs < 10),
        row('memory that they take in the shim', megabytes(grownOctets), '< 30 MB', grownOctets < 30 * 2 ** 20),
      ],
    );
  } finally {
    await network.remove();
  }
}

need('ip', 'nft', 'iperf3');
printMachine();
await dataPath();
await manyListeners();
