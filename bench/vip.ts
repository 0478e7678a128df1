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

interface Measured {
  readonly gigabits: number;
  readonly connections: number;
  readonly connectMicroseconds: number;
}

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

async function measure(network: Network, carrier: Carrier): Promise<Measured> {
  return {
    gigabits: await throughput(network, carrier),
    connections: (await connections(network, carrier, 16)).perSecond,
    connectMicroseconds: (await connections(network, carrier, 1)).microseconds,
  };
}

/** [what, which way is better, the goal for VIPs] */
const GOALS: readonly [keyof Measured, string, string, (ratio: number) => boolean][] = [
  ['gigabits', 'throughput', '≥ 0.95', (ratio) => ratio >= 0.95],
  ['connections', 'new connections/s, 16 clients', '≥ 0.85', (ratio) => ratio >= 0.85],
  ['connectMicroseconds', 'connect and one octet back, p50, 1 client', '≤ 1.1', (ratio) => ratio <= 1.1],
];

async function dataPath(): Promise<void> {
  const { network, carriers } = await openCarriers();
  const results = carriers.map((): Measured[] => []);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [index, carrier] of carriers.entries()) results[index]?.push(await measure(network, carrier));
    }
  } finally {
    await network.remove();
  }
  const ratios = (index: number, key: keyof Measured): number[] =>
    (results[index] ?? []).map((measured, round) => measured[key] / (results[0]?.[round]?.[key] ?? Number.NaN));
  printTable(
    `The way to an endpoint; direct = 1, ratios of each of ${rounds} rounds, median (least–most)`,
    ['', ...carriers.map(({ name }) => name), 'goal', ''],
    GOALS.map(([key, what, goal, reached]) => {
      const vip = ratios(1, key);
      return [
        what,
        ...carriers.map((_, index) => spread(ratios(index, key))),
        goal,
        reached(median(vip)) ? 'reached' : 'missed',
      ];
    }),
  );
  const [direct] = results;
  print(
    `\ndirect: ${figure(median((direct ?? []).map(({ gigabits }) => gigabits)))} Gbit/s, ` +
      `${figure(median((direct ?? []).map((one) => one.connections)))} connections/s, ` +
      `${figure(median((direct ?? []).map((one) => one.connectMicroseconds)))} µs`,
  );
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
