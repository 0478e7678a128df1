import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nftRuleset } from '../../src/shim/capture/nft-ruleset.ts';
import { millisecondsUntil, must, need, type Running, run, sleep, until } from './commands.ts';
import { ELSEWHERE, Network, RESOLVER, VM } from './network.ts';
import { asShim, NFT_SETTINGS, SHIM_UID, startStandIn } from './shim-in-vm.ts';
import { VmHost } from './vm-host.ts';

const SERVERS = {
  v4: RESOLVER.v4,
  v6: RESOLVER.v6,
  'v4 of another resolver': ELSEWHERE.v4,
  'v6 of another resolver': ELSEWHERE.v6,
};
const TRANSPORTS = { UDP: '+notcp', TCP: '+tcp' };
/** What dead DNS costs at most. */
const BACK_MS = 3000;

let network: Network;
let vm: VmHost;
let shim: Running | undefined;

beforeAll(async () => {
  need('ip', 'nft', 'dig', 'dnsmasq', 'dnsperf', 'setpriv', 'unshare', 'nsenter');
  network = await Network.create();
  await network.startResolver();
  vm = await VmHost.create(network);
  await vm.write('/etc/resolv.conf', `nameserver ${RESOLVER.v4}\n`);
});
afterAll(async () => {
  await network?.remove();
});
afterEach(async () => {
  await shim?.end('SIGKILL');
  shim = undefined;
  await vm.run('nft', 'flush', 'ruleset');
});

const whoami = (place: 'vm' | 'container', server: string, ...more: string[]) =>
  network.dig(place, server, 'whoami.test', 'TXT', ...more);
const fromHost = (...more: string[]) => whoami('vm', RESOLVER.v4, ...more);
const start = async () => {
  shim = await startStandIn(vm, NFT_SETTINGS);
  return shim;
};
const RULES = nftRuleset({
  ownUid: SHIM_UID,
  exemptUids: [],
  redirect: { port: 15053, addresses: ['127.0.0.1', '::1'] },
  bridges: ['docker0'],
});
const ruleset = () => must(...network.in('vm', 'nft', 'list', 'ruleset'));

/** dig as the shim's user. */
const shimAsks = (...more: string[]) =>
  must(...network.in('vm', ...asShim('dig', '+short', '+time=1', '+tries=1', ...more, 'whoami.test', 'TXT'))).catch(
    () => '',
  );

/** Twice in turn, since what one leaves behind in the connection table may mislead the other. */
async function keptApart(port: number): Promise<boolean> {
  const from = ['-b', `${VM.v4}#${port}`];
  for (let round = 0; round < 2; round++) {
    if ((await fromHost(...from)) !== '"shim"' || !(await shimAsks(...from, `@${RESOLVER.v4}`)).includes('real'))
      return false;
  }
  return true;
}

async function leftAlone(): Promise<boolean> {
  const asked = Object.values(SERVERS).flatMap((server) =>
    Object.values(TRANSPORTS).map((flag) => shimAsks(flag, `@${server}`)),
  );
  return (await Promise.all(asked)).every((answer) => answer === '"real"\n');
}

async function closedToOutsiders(): Promise<boolean> {
  const { stdout } = await run(
    ...network.in('router', 'dig', '+time=1', '+tries=1', '-p', '15053', '@172.30.0.1', 'whoami.test', 'TXT'),
  );
  return stdout.includes('timed out');
}

async function backInTime(): Promise<boolean> {
  process.kill(shim?.pid ?? 0, 'SIGKILL');
  return (await untilReal()) < BACK_MS;
}

const untilReal = () => millisecondsUntil(async () => (await fromHost()) === '"real"', 2 * BACK_MS);

describe('nft capture', () => {
  it('takes the queries of host and containers, over UDP and TCP, IPv4 and IPv6, whoever they are for', async () => {
    expect(await fromHost()).toBe('"real"');
    await start();
    for (const place of ['vm', 'container'] as const) {
      for (const [family, server] of Object.entries(SERVERS)) {
        for (const [transport, flag] of Object.entries(TRANSPORTS)) {
          expect(await whoami(place, server, flag), `${place} by ${transport} to ${family}`).toBe('"shim"');
        }
      }
    }
    expect(await whoami('vm', '127.0.0.53'), 'a local resolver').toBe('"shim"');
  });

  it('leaves the queries of the own user alone', async () => {
    await start();
    expect(await leftAlone()).toBe(true);
  });

  it('leaves the queries of exempt users alone', async () => {
    shim = await startStandIn(vm, { ...NFT_SETTINGS, exemptUsers: ['4711'] });
    const dig = [
      'setpriv',
      '--reuid=4711',
      '--clear-groups',
      'dig',
      '+short',
      '+time=1',
      `@${RESOLVER.v4}`,
      'whoami.test',
      'TXT',
    ];
    expect((await run(...network.in('vm', ...dig))).stdout).toBe('"real"\n');
    expect(await fromHost()).toBe('"shim"');
  });

  it('answers on a port that both a program and the shim use: the zones keep their connections apart', async () => {
    await start();
    expect(await keptApart(40_000)).toBe(true);
  });

  it('is no open resolver on the addresses of bridges', async () => {
    await start();
    expect(await closedToOutsiders()).toBe(true);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'after %s the host has its own DNS again within 3 s, with nobody there to restore it',
    async (signal) => {
      const { pid } = await start();
      expect(await fromHost()).toBe('"shim"');
      process.kill(pid, signal);
      expect(await untilReal()).toBeLessThan(BACK_MS);
      expect(await whoami('container', RESOLVER.v4)).toBe('"real"');
      if (signal === 'SIGKILL') return;
      process.kill(pid, 'SIGCONT');
      expect(await until(async () => (await fromHost()) === '"shim"', 5000), 'it captures again').toBe(true);
    },
  );

  it('puts a flushed table back within 1 s, and tells', async () => {
    await start();
    await vm.must('nft', 'flush', 'ruleset');
    expect(await until(async () => (await ruleset()).includes('mesh_dns'), 1500)).toBe(true);
    expect(await until(async () => (await fromHost()) === '"shim"', 1000)).toBe(true);
    expect(shim?.output).toContain('put right');
  });

  it('loses no query while its rules are loaded again and again under load', async () => {
    await start();
    const queries = await network.file('queries', 'whoami.test TXT\n');
    const perf = network.in(
      'vm',
      'dnsperf',
      '-s',
      RESOLVER.v4,
      '-d',
      queries,
      '-Q',
      '500',
      '-l',
      '6',
      '-t',
      '2',
      '-q',
      '100',
    );
    const [ip, ...args] = perf;
    const measured = run(ip, ...args);
    await sleep(500);
    const file = await network.file('rules.nft', RULES);
    for (let round = 0; round < 20; round++) {
      await must(...network.in('vm', 'nft', '-f', file));
      await sleep(200);
    }
    const { stdout } = await measured;
    expect(stdout).toMatch(/Queries lost:\s+0 /);
    expect(stdout).toMatch(/NOERROR (\d+) \(100\.00%\)/);
  });

  /** A resolver of the host's own, which asks the network's; it binds its port as root, and becomes `user` then. */
  async function withLocalResolver(address: string, user: string, test: () => Promise<void>): Promise<void> {
    const pidFile = `/run/local-${user}.pid`;
    const listening = ['--bind-interfaces', `--listen-address=${address}`, '--no-resolv', '--no-hosts'];
    const dnsmasq = ['dnsmasq', ...listening, `--server=${RESOLVER.v4}`, `--user=${user}`, `--pid-file=${pidFile}`];
    await vm.write('/etc/resolv.conf', `nameserver ${address}\n`);
    await vm.must(...dnsmasq, '--conf-file=/dev/null');
    try {
      await test();
    } finally {
      await vm.run('sh', '-c', `kill $(cat ${pidFile})`);
      await vm.write('/etc/resolv.conf', `nameserver ${RESOLVER.v4}\n`);
    }
  }

  it('captures beside a resolver on port 53 of its own address, which stays the one to fall back to', () =>
    withLocalResolver('127.0.0.1', 'dnsmasq', async () => {
      await start();
      expect(await fromHost()).toBe('"shim"');
      expect(await shimAsks('@127.0.0.1')).toBe('"real"\n');
    }));

  it('gives DNS back, and says why, when a resolver that it would ask is captured itself', () =>
    withLocalResolver('127.0.1.1', 'nobody', async () => {
      const running = await start();
      expect(await until(async () => running.output.includes('a loop: the resolver 127.0.1.1'), 5000)).toBe(true);
      expect(running.output).toContain('"exempt-user"');
      expect(await untilReal()).toBeLessThan(BACK_MS);
      await sleep(1500);
      expect(await fromHost(), 'it stays so').toBe('"real"');
    }));

  it('goes at once, and leaves no rule, when it is told to stop', async () => {
    const running = await start();
    await running.end('SIGTERM');
    expect(await fromHost()).toBe('"real"');
    expect(await ruleset()).toBe('');
  });
});

describe('a rule taken out of the capture shows', () => {
  const MUTATIONS: readonly [what: string, mutate: (rules: string) => string, works: () => Promise<boolean>][] = [
    [
      'the zone of captured queries',
      (rules) => rules.replaceAll(/^.*ct original zone set.*$/gm, ''),
      () => keptApart(40_001),
    ],
    ['the exemption of the own user', (rules) => rules.replaceAll(/meta skuid != \{ \d+ \} /g, ''), leftAlone],
    ['the guard', (rules) => rules.replace(/^.*ct status & dnat.*$/m, ''), closedToOutsiders],
    ['the end of a heartbeat', (rules) => rules.replaceAll(/ timeout \d+ms/g, ''), backInTime],
  ];

  it.each(MUTATIONS)('%s', async (_, mutate, works) => {
    const mutated = mutate(RULES);
    expect(mutated).not.toBe(RULES);
    await start();
    await must(...network.in('vm', 'nft', '-f', await network.file('mutated.nft', mutated)));
    expect(await fromHost(), 'it still captures').toBe('"shim"');
    expect(await works()).toBe(false);
  });

  it('and nothing does while all are there', async () => {
    await start();
    await must(...network.in('vm', 'nft', '-f', await network.file('rules.nft', RULES)));
    expect(await keptApart(40_002)).toBe(true);
    expect(await leftAlone()).toBe(true);
    expect(await closedToOutsiders()).toBe(true);
    expect(await backInTime()).toBe(true);
  });
});
