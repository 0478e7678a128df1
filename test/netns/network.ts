import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, Running, run, until } from './commands.ts';

/** What all namespaces of these tests begin with; after it the process that made them. */
export const PREFIX = 'mdt';

export const VM = { v4: '10.77.0.2', v6: 'fd77::2' };
export const ROUTER = { v4: '10.77.0.1', v6: 'fd77::1' };
/** A real resolver (dnsmasq), which answers `whoami.test TXT` with "real". */
export const RESOLVER = { v4: '10.77.9.53', v6: 'fd77:9::53' };
export const ENDPOINT = { v4: '10.77.3.44', v6: 'fd77:3::44' };
export const BRIDGE = { name: 'docker0', v4: '172.30.0.1', v6: 'fd30::1' };
/** Addresses that nobody has; a query to them leaves by the router. */
export const ELSEWHERE = { v4: '198.51.100.53', v6: '2001:db8::53' };

type Place = 'vm' | 'router' | 'endpoint' | 'container';

/**
 *     container 172.30.0.2 -- (docker0) vm 10.77.0.2 -- router 10.77.0.1, resolver 10.77.9.53 -- endpoint 10.77.3.44
 *
 * All of it IPv4 and IPv6, in network namespaces of their own.
 */
export class Network {
  readonly #id = `${PREFIX}${process.pid}-${randomBytes(2).toString('hex')}`;
  readonly #running: Running[] = [];
  #folder = '';

  static async create(): Promise<Network> {
    const network = new Network();
    try {
      await network.#build();
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  /** A folder for the files of this network, removed with it. */
  get folder(): string {
    return this.#folder;
  }

  name(place: Place): string {
    return `${this.#id}-${place}`;
  }

  /** The command line that runs another one there. */
  in(place: Place, ...command: string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.name(place), ...command];
  }

  async start(place: Place, command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const [ip, ...args] = this.in(place, ...command);
    const running = new Running(ip, args, env);
    this.#running.push(running);
    return running;
  }

  /** First line of what dig prints, `+short`; one try of `time` seconds. */
  async dig(place: Place, server: string, name: string, type: string, ...more: string[]): Promise<string> {
    const command = ['dig', '+short', '+time=1', '+tries=1', `@${server}`, name, type, ...more];
    const { stdout } = await run(...this.in(place, ...command));
    return stdout.split('\n').find((line) => line !== '') ?? '';
  }

  /** Starts dnsmasq as this network's own resolver, with further records. */
  async startResolver(...options: string[]): Promise<Running> {
    const listen = [RESOLVER.v4, RESOLVER.v6, ELSEWHERE.v4, ELSEWHERE.v6, ROUTER.v4].map(
      (address) => `--listen-address=${address}`,
    );
    const own = [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-hosts',
      '--no-resolv',
      '--bind-interfaces',
      '--user=root',
    ];
    const records = ['--txt-record=whoami.test,real', '--address=/public.example/192.0.2.1', '--local=/#/'];
    const running = await this.start('router', [
      'dnsmasq',
      ...own,
      ...listen,
      ...records,
      '--log-facility=-',
      ...options,
    ]);
    // Neighbours have to be found first, which for IPv6 takes a moment after a link is up.
    for (const { v4, v6 } of [RESOLVER, ELSEWHERE]) {
      for (const server of [v4, v6]) {
        const answers = await until(
          async () => (await this.dig('vm', server, 'whoami.test', 'TXT')) === '"real"',
          10_000,
        );
        if (!answers) throw new Error(`the resolver does not answer at ${server}: ${running.output}`);
      }
    }
    return running;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#running.map((one) => one.end('SIGKILL')));
    for (const place of ['container', 'vm', 'endpoint', 'router'] as const) await removeNamespace(this.name(place));
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), `${this.#id}-`));
    // The shim's user reads its program there.
    await chmod(this.#folder, 0o755);
    for (const place of ['vm', 'router', 'endpoint', 'container'] as const) {
      await must('ip', 'netns', 'add', this.name(place));
      await must('ip', '-n', this.name(place), 'link', 'set', 'lo', 'up');
      const sysctls = [
        'net.ipv6.conf.all.accept_dad=0',
        'net.ipv6.conf.default.accept_dad=0',
        'net.ipv6.conf.all.disable_ipv6=0',
      ];
      await must(...this.in(place, 'sysctl', '-qw', ...sysctls));
    }
    await this.#link('vm', 'eth0', [`${VM.v4}/24`, `${VM.v6}/64`], 'router', 'vm0', [
      `${ROUTER.v4}/24`,
      `${ROUTER.v6}/64`,
    ]);
    await this.#link('endpoint', 'eth0', [`${ENDPOINT.v4}/24`, `${ENDPOINT.v6}/64`], 'router', 'ep0', [
      '10.77.3.1/24',
      'fd77:3::1/64',
    ]);
    await this.#link('container', 'eth0', ['172.30.0.2/24', 'fd30::2/64'], 'vm', BRIDGE.name, [
      `${BRIDGE.v4}/24`,
      `${BRIDGE.v6}/64`,
    ]);
    await this.#route('vm', ROUTER.v4, ROUTER.v6);
    await this.#route('endpoint', '10.77.3.1', 'fd77:3::1');
    await this.#route('container', BRIDGE.v4, BRIDGE.v6);
    for (const address of [`${RESOLVER.v4}/32`, `${RESOLVER.v6}/128`, `${ELSEWHERE.v4}/32`, `${ELSEWHERE.v6}/128`]) {
      await must('ip', '-n', this.name('router'), 'addr', 'add', address, 'dev', 'lo');
    }
    await must('ip', '-n', this.name('router'), 'route', 'add', '172.30.0.0/24', 'via', VM.v4);
    await must('ip', '-n', this.name('router'), '-6', 'route', 'add', 'fd30::/64', 'via', VM.v6);
    for (const place of ['router', 'vm'] as const) {
      await must(...this.in(place, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'));
    }
  }

  async #link(
    a: Place,
    ifA: string,
    addressesA: readonly string[],
    b: Place,
    ifB: string,
    addressesB: readonly string[],
  ): Promise<void> {
    await must(
      'ip',
      'link',
      'add',
      ifA,
      'netns',
      this.name(a),
      'type',
      'veth',
      'peer',
      'name',
      ifB,
      'netns',
      this.name(b),
    );
    const ends = [
      { place: a, device: ifA, addresses: addressesA },
      { place: b, device: ifB, addresses: addressesB },
    ];
    for (const { place, device, addresses } of ends) {
      for (const address of addresses) {
        const nodad = address.includes(':') ? ['nodad'] : [];
        await must('ip', '-n', this.name(place), 'addr', 'add', address, 'dev', device, ...nodad);
      }
      await must('ip', '-n', this.name(place), 'link', 'set', device, 'up');
    }
  }

  async #route(place: Place, v4: string, v6: string): Promise<void> {
    await must('ip', '-n', this.name(place), 'route', 'add', 'default', 'via', v4);
    await must('ip', '-n', this.name(place), '-6', 'route', 'add', 'default', 'via', v6);
  }

  /** A file of this network; returns its path. */
  async file(name: string, content: string): Promise<string> {
    const path = join(this.#folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content);
    return path;
  }
}

/** With everything that runs in it. */
export async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await run('ip', 'netns', 'pids', name);
  for (const pid of stdout.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  await run('ip', 'netns', 'delete', name);
}
