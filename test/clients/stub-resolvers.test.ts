import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireInstalled } from './installed.ts';
import { ResolverHost } from './resolver-host.ts';

const MANY = 43;

let host: ResolverHost;
let vip: string;

const entry = (name: string, host: string, addresses: readonly string[]) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name },
  spec: {
    hosts: [host],
    addresses,
    ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
    resolution: addresses.length > 0 ? 'NONE' : 'DNS',
  },
});

async function compile(compiler: 'gcc' | 'musl-gcc'): Promise<void> {
  const program = join(host.folder, compiler);
  await promisify(execFile)(compiler, ['-O1', '-o', program, join(import.meta.dirname, 'resolve.c')]);
}

beforeAll(async () => {
  requireInstalled('unshare', 'nsenter', 'ip', 'gcc', 'musl-gcc', 'getent', 'java', 'dig', 'kdig', 'curl');
  host = await ResolverHost.start();
  await Promise.all([compile('gcc'), compile('musl-gcc')]);
  await host.apply(
    entry('both', 'both.internal', ['198.51.100.2', '2001:db8::2']),
    entry(
      'many',
      'many.internal',
      Array.from({ length: MANY }, (_, n) => `198.51.100.${n + 1}`),
    ),
  );
  vip = (await host.run('dig', '+short', 'auto.internal')).trim();
  expect(vip).toMatch(/^240\.240\.\d+\.\d+$/);
});
afterAll(() => host?.close());

/** What a resolver library makes of the names, by name; addresses in order. */
async function resolved(library: string, ...names: string[]): Promise<Record<string, string[] | string>> {
  const java = join(import.meta.dirname, 'Resolve.java');
  const program = library === 'java' ? ['java', '-Xshare:auto', java] : [join(host.folder, library)];
  const output = await host.run(program[0] ?? '', ...program.slice(1), ...names);
  const lines = output.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => {
      if (line.includes(': ')) return line.split(': ', 2) as [string, string];
      const [name = '', ...addresses] = line.split(' ');
      return [name, addresses.map((address) => address.replace(/^2001:db8:0:0:0:0:0:/, '2001:db8::')).sort()];
    }),
  );
}

describe.each(['gcc', 'musl-gcc', 'java'])('the resolver library of %s', (library) => {
  it('has the addresses of each name, and none for a name that is not there', async () => {
    const expected = {
      'auto.internal': [vip],
      'address.internal': ['198.51.100.1'],
      'both.internal': ['198.51.100.2', '2001:db8::2'],
      'nobody.internal': 'unknown',
      'www.example.com': ['192.0.2.80', '2001:db8::80'],
      'v4only.example.com': ['192.0.2.81'],
      'gone.example.com': 'unknown',
      'aUtO.iNtErNaL': [vip],
      'WwW.eXaMpLe.cOm': ['192.0.2.80', '2001:db8::80'],
    };
    expect(await resolved(library, ...Object.keys(expected))).toEqual(expected);
  });

  it('can use a name with more addresses than a datagram holds', async () => {
    for (const [name, prefix] of [
      ['many.internal', '198.51.100'],
      ['many.example.com', '192.0.2'],
    ] as const) {
      const addresses = (await resolved(library, name))[name] as string[];
      const all = Array.from({ length: MANY }, (_, n) => `${prefix}.${n + 1}`);
      // musl before 1.2.4 does not go on to TCP: it has what fits, which must be addresses of the name all the same.
      if (library === 'musl-gcc') expect(addresses.length).toBeGreaterThan(10);
      else expect(addresses).toHaveLength(MANY);
      expect(all).toEqual(expect.arrayContaining(addresses));
    }
  });
});

describe('getent', () => {
  it.each(['ahosts', 'ahostsv4'])('%s has the VIP', async (database) => {
    expect(await host.run('getent', '-A', database, 'auto.internal')).toContain(`${vip} `);
  });

  it('hosts finds the name of a VIP', async () => {
    expect(await host.run('getent', 'hosts', vip)).toMatch(/^240\.\S+\s+auto\.internal\n$/);
  });

  it('ahostsv6 has nothing for a name without IPv6 addresses', async () => {
    expect(await host.run('getent', '-A', 'ahostsv6', 'v4only.example.com')).not.toContain('2001:');
  });
});

describe.each([
  ['dig', ['+noedns'], ['+edns=0']],
  ['kdig', ['+noedns'], ['+edns=0']],
])('%s', (client, noEdns, edns) => {
  const ask = (...args: string[]) => host.run(client, '@127.0.0.1', ...args);
  const counts = (output: string) => Number(/ANSWER: (\d+)/.exec(output)?.[1]);
  const truncated = (output: string) => /flags:[^;]*\btc\b/i.test(output);

  it('sees what is there, what has no data and what does not exist', async () => {
    expect(await ask('auto.internal')).toMatch(/NOERROR[\s\S]*ANSWER: 1[\s\S]*240\.240\./);
    expect(await ask('auto.internal', 'AAAA')).toMatch(/NOERROR[\s\S]*ANSWER: 0[\s\S]*SOA/);
    expect(await ask('auto.internal', 'HTTPS')).toMatch(/NOERROR[\s\S]*ANSWER: 0[\s\S]*SOA/);
    expect(await ask('nobody.internal')).toMatch(/NXDOMAIN[\s\S]*SOA/);
    expect(await ask('gone.example.com')).toMatch(/NXDOMAIN[\s\S]*SOA/);
  });

  it.each(['many.internal', 'many.example.com'])('goes on to TCP for %s', async (name) => {
    const short = await ask('+ignore', ...noEdns, name);
    expect([truncated(short), counts(short) > 10, counts(short) < MANY]).toEqual([true, true, true]);
    const whole = await ask(...noEdns, name);
    expect([truncated(whole), counts(whole)]).toEqual([false, MANY]);
    const withEdns = await ask('+ignore', ...edns, '+bufsize=1232', name);
    expect([truncated(withEdns), counts(withEdns)]).toEqual([false, MANY]);
  });

  it('goes on to TCP for a text of 4 KB, whatever it offers over UDP', async () => {
    for (const size of ['512', '1232', '4096']) {
      const short = await ask('+ignore', ...edns, `+bufsize=${size}`, 'text.example.com', 'TXT');
      expect(truncated(short)).toBe(true);
      const whole = await ask(...edns, `+bufsize=${size}`, 'text.example.com', 'TXT');
      expect([truncated(whole), counts(whole), whole.length > 4000]).toEqual([false, 1, true]);
    }
  });
});

it('dig gets the question back in its own case', async () => {
  expect(await host.run('dig', '@127.0.0.1', 'aUtO.iNtErNaL')).toMatch(/aUtO\.iNtErNaL\.\s+IN\s+A/);
});

describe('curl --doh-url', () => {
  const get = (name: string) =>
    host.run(
      'curl',
      ...['-sv', '-m', '3', '--doh-url', 'https://localhost:8443/dns-query', '--cacert', '.meshdoh/ca.pem'],
      `http://${name}:9/`,
    );

  it('tries the addresses of a name, and those alone', async () => {
    expect(await get('auto.internal')).toContain(`Trying ${vip}:9`);
    expect(await get('address.internal')).toContain('Trying 198.51.100.1:9');
    const both = await get('both.internal');
    expect(both).toContain('Trying 198.51.100.2:9');
    expect(both).toContain('Trying [2001:db8::2]:9');
    expect(await get('www.example.com')).toContain('Trying 192.0.2.80:9');
  });

  it.each(['nobody.internal', 'gone.example.com'])('tries nothing for %s', async (name) => {
    const said = await get(name);
    expect(said).toContain(`DoH: Bad RCODE type A for ${name}`);
    expect(said).not.toMatch(/Trying (?!127\.0\.0\.1:8443|\[::1\]:8443)/);
  });
});
