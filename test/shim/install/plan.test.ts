import { describe, expect, it } from 'vitest';
import { takenAddresses } from '../../../src/shim/install/facts.ts';
import {
  ALL_NAMES_QUESTION,
  type InstallFacts,
  type InstallPlan,
  planInstall,
} from '../../../src/shim/install/plan.ts';
import { readShimSettings } from '../../../src/shim/settings.ts';

const FACTS: InstallFacts = {
  resolver: { resolvConf: 'nameserver 192.0.2.1\n', resolved: false, nssResolve: false, networkManager: false },
  takenAddresses: [],
  ipv6: true,
  nft: true,
  systemd: true,
  userExists: false,
  node: '/usr/lib/meshdoh-shim/node',
  script: '/usr/lib/meshdoh-shim/meshdoh-shim.mjs',
  settingsFile: '/etc/meshdoh/shim.conf',
  settingsText: undefined,
};
const STUB = { ...FACTS.resolver, resolvConf: 'nameserver 127.0.0.53\n', resolved: true };
const FLAGS = { endpoint: ['https://doh.example/dns-query'], route: ['.=system'] };

function plan(facts: Partial<InstallFacts> = {}, flags: Record<string, string[]> = FLAGS): InstallPlan {
  const read = readShimSettings({ flags });
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return planInstall(read.settings, read.given, { ...FACTS, ...facts });
}
const reasonOf = (planned: InstallPlan): string => (planned.ok ? '' : planned.reason);
const fileOf = (planned: InstallPlan, path: string): string =>
  (planned.ok && planned.files.find((file) => file.path.endsWith(path))?.content) || '';

describe('planInstall', () => {
  it('asks who answers all other names before anything else is done', () => {
    expect(reasonOf(plan({}, { endpoint: FLAGS.endpoint }))).toBe(ALL_NAMES_QUESTION);
  });

  it.each<[string, Partial<InstallFacts>, Record<string, string[]>, RegExp]>([
    ['no endpoint', {}, { route: FLAGS.route }, /"endpoint" is missing/],
    ['nft without nft', { nft: false }, { ...FLAGS, capture: ['nft'] }, /nftables/],
    ['a program that services cannot see', { script: '/root/meshdoh-shim.mjs' }, FLAGS, /cannot see \/root/],
    ['port 53 taken on every address', { takenAddresses: ['127.0.0.1', '127.0.53.1'] }, FLAGS, /loopback/],
  ])('refuses %s', (_, facts, flags, reason) => {
    expect(reasonOf(plan(facts, flags))).toMatch(reason);
  });

  it.each<[string, Partial<InstallFacts>, Record<string, string[]>, string[]]>([
    ['a plain file', {}, FLAGS, ['127.0.0.1:53']],
    ['a plain file and a resolver on 127.0.0.1', { takenAddresses: ['127.0.0.1'] }, FLAGS, ['127.0.53.1:53']],
    ['systemd-resolved', { resolver: STUB }, FLAGS, ['127.0.0.1:15053', '[::1]:15053']],
    ['nft', {}, { ...FLAGS, capture: ['nft'] }, ['127.0.0.1:15053', '[::1]:15053']],
    ['nft without IPv6', { ipv6: false }, { ...FLAGS, capture: ['nft'] }, ['127.0.0.1:15053']],
    ['what it was told', {}, { ...FLAGS, listen: ['127.0.0.5:53'] }, ['127.0.0.5:53']],
  ])('listens where the resolver can be pointed: %s', (_, facts, flags, listen) => {
    expect(fileOf(plan(facts, flags), 'shim.conf').match(/(?<=^listen = ).*$/gm)).toEqual(listen);
  });

  it.each<[string, Partial<InstallFacts>, Record<string, string[]>, string]>([
    ['systemd-resolved and no virtual IPs', { resolver: STUB }, { ...FLAGS, vips: ['off'] }, ''],
    ['port 53 and no virtual IPs', {}, { ...FLAGS, vips: ['off'] }, 'CAP_NET_BIND_SERVICE'],
    ['virtual IPs', { resolver: STUB }, FLAGS, 'CAP_NET_ADMIN'],
    ['virtual IPs without nft', { resolver: STUB, nft: false }, FLAGS, ''],
    ['nft capture', {}, { ...FLAGS, vips: ['off'], capture: ['nft'] }, 'CAP_NET_ADMIN'],
  ])('gives the service the capabilities that it needs: %s', (_, facts, flags, expected) => {
    const [, capabilities] = /^AmbientCapabilities=(.*)$/m.exec(fileOf(plan(facts, flags), 'shim.service')) ?? [];
    expect(capabilities).toBe(expected);
  });

  it('keeps the comments of the settings file, and writes each setting once', () => {
    const text = fileOf(plan({ settingsText: '# mine\nendpoint = https://old.example/dns-query\n' }), 'shim.conf');
    expect(text).toBe(
      '# mine\nendpoint = https://doh.example/dns-query\nroute = .=system\ncapture = resolver\nlisten = 127.0.0.1:53\n',
    );
  });

  it('starts nothing without systemd, makes no user that is there, and the folder that its user writes to', () => {
    const planned = plan({ systemd: false, userExists: true });
    const makeStateDir = 'install -d -o meshdoh -g meshdoh -m 0755 /var/lib/meshdoh'.split(' ');
    expect(planned.ok && [planned.before, planned.after]).toEqual([[makeStateDir], []]);
  });
});

describe('takenAddresses', () => {
  const line = (address: string) => `  1: ${address}:0035 00000000:0000 07 0 0 0 0 0 0`;
  it('are those with port 53, and every one that we would take under the wildcard', () => {
    expect(takenAddresses(`${line('3500007F')}\n  2: 0100007F:0044 x`)).toEqual(['127.0.0.53']);
    expect(takenAddresses(line('00000000'))).toEqual(['127.0.0.1', '127.0.53.1']);
  });
});
