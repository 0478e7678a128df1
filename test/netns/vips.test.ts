import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { vipRules } from '../../src/shim/vips/ruleset.ts';
import type { TableEndpoint, TableHost } from '../../src/table/mesh-table.ts';
import { meshTable, tableHost } from '../shim/vips/mesh.ts';
import { must, need, type Running, run, sleep, until } from './commands.ts';
import { ENDPOINT, Network, RESOLVER, VM } from './network.ts';

const SECOND = { v4: '10.77.3.55', v6: 'fd77:3::55' };
const PORT = 9000;
const VIP1 = { ipv4: '240.240.0.1', ipv6: '2001:2::1' };
const VIP2 = { ipv4: '240.240.0.2', ipv6: '2001:2::2' };
const UNUSED = { ipv4: '240.240.9.9', ipv6: '2001:2::99' };
const POOLS = { ipv4: ['240.240.0.0/16'], ipv6: ['2001:2::/48'] };

const PORTS = [
  { name: 'tcp', number: PORT, protocol: 'TCP' },
  { name: 'tcp-80', number: 80, protocol: 'TCP', targetPort: PORT },
];
const UDP = [{ name: 'udp', number: PORT, protocol: 'UDP' }];

const first: TableEndpoint[] = [{ address: ENDPOINT.v4 }, { address: ENDPOINT.v6 }];
const second: TableEndpoint[] = [{ address: SECOND.v4 }, { address: SECOND.v6 }];

const host = (name: string, vip: typeof VIP1, endpoints: readonly TableEndpoint[], some: Partial<TableHost> = {}) =>
  tableHost({ host: name, vip, addresses: [vip.ipv4], ports: PORTS, endpoints, ...some });

let network: Network;
let forwarding: Running;
let tableFile: string;

const addressOf = (address: string, port: number, transport = 'TCP'): string =>
  `${transport}${address.includes(':') ? `6:[${address}]` : `4:${address}`}:${port}`;

/** What the server says of itself and of us; or why it cannot be reached. */
async function ask(
  place: 'vm' | 'container' | 'router',
  address: string,
  port = PORT,
  transport = 'TCP',
): Promise<string> {
  const script = `echo hello | socat -T1 -t1 - ${addressOf(address, port, transport)},connect-timeout=2`;
  const { code, stdout, stderr } = await run(...network.in(place, 'timeout', '4', 'sh', '-c', script));
  return code === 0 ? stdout.trim() : stderr.trim().replace(/^.*E /, '');
}

async function use(hosts: readonly TableHost[]): Promise<void> {
  await writeFile(tableFile, JSON.stringify(meshTable(hosts)));
  forwarding.output = '';
  forwarding.signal('SIGHUP');
  await forwarding.says('loaded');
}

async function startForwarding(): Promise<void> {
  const program = join(import.meta.dirname, 'stand-in-vips.ts');
  const command = [process.execPath, program, tableFile, join(network.folder, 'state'), RESOLVER.v4];
  forwarding = await network.start('vm', command);
  await forwarding.says('loaded');
}

const both = () => [host('a.example', VIP1, first), host('b.example', VIP2, second)];
const nft = (...command: string[]) => must(...network.in('vm', 'nft', ...command));

beforeAll(async () => {
  need('ip', 'nft', 'dig', 'dnsmasq', 'socat', 'conntrack', 'tcpdump');
  network = await Network.create();
  await network.startResolver(`--host-record=db.example,${ENDPOINT.v4}`);
  for (const address of [`${SECOND.v4}/24`, `${SECOND.v6}/64`]) {
    await must('ip', '-n', network.name('endpoint'), 'addr', 'add', address, 'dev', 'eth0');
  }
  const program = join(import.meta.dirname, 'echo-server.ts');
  const servers = [
    `external-1=${ENDPOINT.v4}`,
    `external-1=${ENDPOINT.v6}`,
    `external-2=${SECOND.v4}`,
    `external-2=${SECOND.v6}`,
  ];
  await (await network.start('endpoint', [process.execPath, program, String(PORT), ...servers])).says('ready');
  tableFile = await network.file('table.json', JSON.stringify(meshTable(both())));
  await startForwarding();
});
afterAll(async () => {
  await network?.remove();
});
beforeEach(async () => {
  if (forwarding.hasEnded) await startForwarding();
  await use(both());
});

describe('a VIP', () => {
  it.each(['vm', 'container'] as const)(
    'leads to the right endpoint from the %s, over IPv4 and IPv6',
    async (place) => {
      expect(await ask(place, VIP1.ipv4)).toMatch(/^external-1 from /);
      expect(await ask(place, VIP2.ipv4)).toMatch(/^external-2 from /);
      expect(await ask(place, VIP1.ipv6)).toMatch(/^external-1 from /);
      expect(await ask(place, VIP2.ipv6)).toMatch(/^external-2 from /);
    },
  );

  it('leads to another port where the target port says so', async () => {
    expect(await ask('vm', VIP2.ipv4, 80)).toMatch(/^external-2 /);
  });

  it.each(['vm', 'container'] as const)('carries UDP from the %s', async (place) => {
    await use([host('a.example', VIP1, first, { ports: UDP }), host('b.example', VIP2, second, { ports: UDP })]);
    expect(await ask(place, VIP1.ipv4, PORT, 'UDP')).toMatch(/^external-1 /);
    expect(await ask(place, VIP2.ipv6, PORT, 'UDP')).toMatch(/^external-2 /);
  });

  it('reaches the endpoint with a source that it can answer', async () => {
    expect(await ask('vm', VIP1.ipv4)).toContain(`from ${VM.v4}`);
    expect(await ask('container', VIP1.ipv4)).toContain(`from ${VM.v4}`);
    expect(await ask('vm', VIP1.ipv6)).toContain(`from ${VM.v6}`);
  });

  it.each([
    ['nobody', 'vm', UNUSED.ipv4, PORT],
    ['nobody', 'container', UNUSED.ipv4, PORT],
    ['nobody, over IPv6,', 'vm', UNUSED.ipv6, PORT],
    ['a port that was not declared', 'vm', VIP1.ipv4, 4444],
  ] as const)('of %s is refused at once (%s)', async (_, place, address, port) => {
    const before = await refused();
    const at = Date.now();
    expect(await ask(place, address, port)).toContain('Connection refused');
    expect(Date.now() - at).toBeLessThan(1000);
    expect(await refused()).toBeGreaterThan(before);
  });

  it('whose endpoint is forbidden is refused', async () => {
    const forbidden = ['127.0.0.1', '169.254.169.254', '240.240.0.2'].map((address) => ({ address }));
    await use([host('a.example', VIP1, forbidden), host('b.example', VIP2, second)]);
    expect(await ask('vm', VIP1.ipv4)).toContain('Connection refused');
  });

  it('follows the name of its endpoint', async () => {
    await use([host('a.example', VIP1, [{ address: 'db.example' }], { resolution: 'DNS' })]);
    expect(await ask('vm', VIP1.ipv4)).toMatch(/^external-1 /);
  });

  it('never leaves the host untranslated', async () => {
    const capture = await network.start('router', ['tcpdump', '-lni', 'any', 'net 240.0.0.0/4 or net 2001:2::/48']);
    await capture.says('listening');
    for (const vip of [VIP1, VIP2, UNUSED]) {
      await Promise.all([ask('vm', vip.ipv4), ask('container', vip.ipv4), ask('vm', vip.ipv6)]);
    }
    await run(...network.in('vm', 'ping', '-c1', '-W1', UNUSED.ipv4));
    await nft('delete', 'table', 'inet', 'mesh_vip');
    await ask('vm', VIP1.ipv4);
    await sleep(300);
    await capture.end('SIGINT');
    expect(capture.output).toContain('0 packets captured');
    await tableIsBack();
  });
});

const tableIsBack = () =>
  until(async () => (await run(...network.in('vm', 'nft', 'list', 'table', 'inet', 'mesh_vip'))).code === 0, 8000);

async function refused(): Promise<number> {
  const text = await nft('list', 'counter', 'inet', 'mesh_vip', 'refused');
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

describe('a change', () => {
  it('of the endpoint takes effect for new connections; established ones stay', async () => {
    const [ip, ...args] = network.in(
      'vm',
      'sh',
      '-c',
      `(sleep 0.3; echo 1; sleep 3; echo 2; sleep 1) | socat - TCP4:${VIP1.ipv4}:${PORT}`,
    );
    const established = run(ip, ...args);
    await sleep(1000);
    await use([host('a.example', VIP1, second), host('b.example', VIP2, second)]);
    expect(await ask('vm', VIP1.ipv4)).toMatch(/^external-2 /);
    const { stdout } = await established;
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.slice(0, 10)),
    ).toEqual(['external-1', 'external-1']);
  });

  it.each([true, false])(
    'of the endpoint moves a UDP socket that is kept open; the program runs: %s',
    async (isRunning) => {
      await use([host('a.example', VIP1, first, { ports: UDP })]);
      const script = `(for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done) | socat -t1 - UDP4:${VIP1.ipv4}:${PORT},sourceport=45000`;
      const [ip, ...args] = network.in('vm', 'sh', '-c', script);
      const open = run(ip, ...args);
      await sleep(1200);
      const moved = [host('a.example', VIP1, second, { ports: UDP })];
      if (isRunning) await use(moved);
      else {
        await forwarding.end('SIGKILL');
        await writeFile(tableFile, JSON.stringify(meshTable(moved)));
        await startForwarding();
      }
      const answers = (await open).stdout.trim().split('\n');
      expect(answers[0]).toMatch(/^external-1 /);
      expect(answers.at(-1)).toMatch(/^external-2 /);
    },
  );

  it('to weighted endpoints shares new connections by weight, within 10 %', async () => {
    const weighted = [
      { address: ENDPOINT.v4, weight: 1 },
      { address: SECOND.v4, weight: 3 },
    ];
    await use([host('a.example', VIP1, weighted)]);
    const script = `for i in $(seq 400); do echo | socat -T1 -t0.2 - TCP4:${VIP1.ipv4}:${PORT}; done`;
    const parts = await Promise.all([0, 1].map(() => run(...network.in('vm', 'sh', '-c', script))));
    const answers = parts.flatMap(({ stdout }) => stdout.trim().split('\n'));
    const share = answers.filter((line) => line.startsWith('external-2')).length / answers.length;
    expect(answers).toHaveLength(800);
    expect(share).toBeGreaterThan(0.65);
    expect(share).toBeLessThan(0.85);
  });

  it('that takes an entry away refuses its connections, and a new entry is there', async () => {
    await use([host('b.example', VIP2, second)]);
    expect(await ask('vm', VIP1.ipv4)).toContain('Connection refused');
    await use([host('c.example', VIP1, second), host('b.example', VIP2, second)]);
    expect(await ask('vm', VIP1.ipv4)).toMatch(/^external-2 /);
  });
});

describe('without the program', () => {
  it('VIPs go on working when it is killed, and are its own again when it starts', async () => {
    await forwarding.end('SIGKILL');
    expect(await ask('vm', VIP1.ipv4)).toMatch(/^external-1 /);
    await startForwarding();
    expect(await ask('vm', VIP2.ipv4)).toMatch(/^external-2 /);
  });

  it('a flushed table comes back', async () => {
    await nft('flush', 'ruleset');
    expect(await until(async () => (await ask('vm', VIP1.ipv4)).startsWith('external-1'), 8000, 500)).toBe(true);
  });
});

describe('routes', () => {
  const ip = (...command: string[]) => must('ip', '-n', network.name('vm'), ...command);
  const answers = async () => (await ask('vm', VIP1.ipv4)).startsWith('external-1');

  it('that somebody removed come back', async () => {
    await ip('route', 'del', '240.240.0.0/16', 'dev', 'lo');
    expect(await answers()).toBe(false);
    expect(await until(answers, 12_000, 500)).toBe(true);
  });

  it('of the host within the range are left alone, with what is behind them; the range is carried when they are gone', async () => {
    const own = ['240.240.7.0/24', 'dev', 'eth0'];
    await ip('route', 'add', ...own);
    expect(await until(async () => (await nft('list', 'tables')).trim() === '', 12_000, 500)).toBe(true);
    expect(await ip('route', 'show', 'root', '240.240.0.0/16')).toBe('240.240.7.0/24 dev eth0 scope link \n');
    expect(forwarding.output).toContain('this host routes 240.240.7.0/24 through eth0');
    await ip('route', 'del', ...own);
    expect(await until(answers, 12_000, 500)).toBe(true);
  });
});

describe('a neighbour that sends packets for VIPs here', () => {
  const route = ['240.240.0.0/16', 'via', VM.v4] as const;

  it('is carried as containers are, unless the firewall drops what comes from there', async () => {
    const router = ['ip', '-n', network.name('router'), 'route'] as const;
    await must(...router, 'add', ...route);
    expect(await ask('router', VIP1.ipv4)).toMatch(/^external-1 /);
    const rule = 'iifname "eth0" ct direction original ct original ip daddr 240.240.0.0/16 drop';
    await nft(`table inet firewall { chain forward { type filter hook forward priority 0; ${rule}; }; }`);
    expect(await ask('router', VIP1.ipv4)).not.toMatch(/^external/);
    expect(await ask('container', VIP1.ipv4)).toMatch(/^external-1 /);
    await nft('delete', 'table', 'inet', 'firewall');
    await must(...router, 'del', ...route);
  });
});

describe('what is counted', () => {
  it('are packets and octets of a listener, in both directions', async () => {
    await nft('flush', 'ruleset');
    await tableIsBack();
    let before = 0;
    for (const place of ['vm', 'container'] as const) {
      await ask(place, VIP1.ipv4);
      const text = await nft('list', 'set', 'inet', 'mesh_vip', 'listeners4');
      const packets = Number(/240\.240\.0\.1 \. tcp \. 9000 counter packets (\d+)/.exec(text)?.[1]);
      // Both sides of a handshake, of one line there and back, and of the end.
      expect(packets - before).toBeGreaterThanOrEqual(8);
      expect(packets - before).toBeLessThanOrEqual(14);
      expect(text).toContain('240.240.0.2 . tcp . 9000 counter packets 0 bytes 0');
      before = packets;
    }
  });
});

describe('a rule taken out of the forwarding shows', () => {
  const masqueraded = async () => {
    const script = `echo hello | socat -T1 -t1 - TCP4:${VIP1.ipv4}:${PORT},connect-timeout=2`;
    const { stdout } = await run(...network.in('container', 'timeout', '4', 'sh', '-c', script));
    return stdout.includes(`from ${VM.v4}`);
  };
  const refusedAtOnce = async () => (await ask('vm', UNUSED.ipv4)).includes('refused');
  const segmentsFit = async () => {
    const capture = await network.start('vm', [
      'tcpdump',
      '-lni',
      'eth0',
      '-vv',
      `host ${ENDPOINT.v4} and tcp[tcpflags] & tcp-syn != 0`,
    ]);
    await capture.says('listening');
    await ask('vm', VIP1.ipv4);
    await capture.says('mss ', 5000);
    await capture.end('SIGINT');
    return Number(/mss (\d+)/.exec(capture.output)?.[1]) <= 1460;
  };

  const load = async (rules: string) => {
    const held = await nft('list', 'table', 'inet', 'mesh_vip');
    const elements = [...held.matchAll(/(?:set|map) (\w+) \{[^{}]*?elements = \{([^}]*)\}/g)].map(
      ([, name, members = '']) =>
        `add element inet mesh_vip ${name} {${members.replace(/ counter packets \d+ bytes \d+/g, '')}}`,
    );
    const file = await network.file('mutated.nft', `delete table inet mesh_vip\n${rules}${elements.join('\n')}\n`);
    await nft('-f', file);
  };

  it.each([
    ['the guard', (rules: string) => rules.replaceAll(/^.*goto refuse$/gm, ''), refusedAtOnce],
    ['the masquerade', (rules: string) => rules.replaceAll(/^.* masquerade$/gm, ''), masqueraded],
  ])('%s', async (_, mutate, works) => {
    const rules = vipRules(POOLS);
    expect(mutate(rules)).not.toBe(rules);
    await load(rules);
    expect(await works()).toBe(true);
    await load(mutate(rules));
    expect(await works()).toBe(false);
    await load(rules);
  });

  it('the MTU of the route', async () => {
    expect(await segmentsFit()).toBe(true);
    const route = ['ip', '-n', network.name('vm'), 'route', 'replace', '240.240.0.0/16', 'dev', 'lo'] as const;
    await must(...route);
    expect(await segmentsFit()).toBe(false);
    await must(...route, 'mtu', '1500');
  });
});
