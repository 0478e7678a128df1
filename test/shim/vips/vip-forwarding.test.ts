import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NftError } from '../../../src/shim/capture/nft-command.ts';
import type { Element, UdpFlow } from '../../../src/shim/vips/elements.ts';
import { PROBE, REMOVE_TABLE } from '../../../src/shim/vips/ruleset.ts';
import { VipForwarding, type VipForwardingOptions, type VipMemory } from '../../../src/shim/vips/vip-forwarding.ts';
import { meshTable, tableHost } from './mesh.ts';

/** What a kernel would have been told, and names as somebody's resolver would know them. */
class Host {
  readonly applied: string[] = [];
  readonly sent: string[] = [];
  readonly forgotten: UdpFlow[] = [];
  readonly logged: string[] = [];
  readonly lookedUp: string[] = [];
  readonly names = new Map<string, { addresses: readonly string[]; ttl: number }>();
  memory: VipMemory | undefined;
  failure: NftError | undefined;
  closed = false;

  clash: string | undefined;
  held: readonly Element[] = [];
  readonly routes: string[] = [];

  /** What was sent, but for the looks whether the table is there. */
  changes(): string[] {
    return this.sent.filter((line) => line !== PROBE);
  }

  options(names: VipMemory['names'] = new Map(), routed: readonly string[] = []): VipForwardingOptions {
    const run = async (text: string, into: string[]) => {
      if (this.failure) throw this.failure;
      into.push(text);
    };
    return {
      nft: {
        apply: (ruleset) => run(ruleset, this.applied),
        send: (commands) => run(commands.join('; '), this.sent),
        close: () => {
          this.closed = true;
        },
      },
      routes: {
        clash: async () => this.clash,
        add: async ({ ipv4 }) => {
          this.routes.push(...ipv4.map((prefix) => `add ${prefix}`));
          return [];
        },
        remove: async ({ ipv4 }) => void this.routes.push(...ipv4.map((prefix) => `remove ${prefix}`)),
      },
      held: async () => this.held,
      forgetUdpFlows: async (flows) => void this.forgotten.push(...flows),
      lookUp: async (name) => {
        this.lookedUp.push(name);
        const found = this.names.get(name);
        return { ipv4: found?.addresses, ipv6: found && [], ttl: found?.ttl ?? 0 };
      },
      memory: { prefixes: { ipv4: routed, ipv6: [] }, names },
      remember: (memory) => {
        this.memory = memory;
      },
      counters: async () => [],
      log: (line) => void this.logged.push(line),
      now: () => Date.now(),
    };
  }
}

const byName = tableHost({ host: 'b.example', resolution: 'DNS', endpoints: [{ address: 'db.example' }] });

describe('the forwarding of VIPs', () => {
  let host: Host;
  let vips: VipForwarding;

  beforeEach(() => {
    vi.useFakeTimers();
    host = new Host();
    vips = new VipForwarding(host.options());
  });
  afterEach(async () => {
    await vips.stop();
    vi.useRealTimers();
  });

  it('replaces the whole table first, and then sends what changes', async () => {
    await vips.update(meshTable([tableHost({})]));
    expect(host.applied).toHaveLength(1);
    expect(host.applied[0]).toContain('one4 { 240.240.0.1 . tcp . 80 : 10.0.0.1 . 80 }');
    await vips.update(meshTable([tableHost({ endpoints: [{ address: '10.0.0.9' }] })]));
    expect(host.applied).toHaveLength(1);
    expect(host.sent).toEqual([
      'delete element inet mesh_vip one4 { 240.240.0.1 . tcp . 80 }; ' +
        'add element inet mesh_vip one4 { 240.240.0.1 . tcp . 80 : 10.0.0.9 . 80 }',
    ]);
  });

  it('does nothing for a table that says the same', async () => {
    await vips.update(meshTable([tableHost({})]));
    await vips.update(meshTable([tableHost({})]));
    expect(host.sent).toEqual([]);
    expect(host.applied).toHaveLength(1);
  });

  it('takes out the listeners of a host that is gone', async () => {
    await vips.update(meshTable([tableHost({})]));
    await vips.update(meshTable([]));
    expect(host.sent[0]).toContain('delete element inet mesh_vip one4 { 240.240.0.1 . tcp . 80 }');
    expect(await vips.ready('a.example')).toBeUndefined();
    expect(vips.state()).toEqual({ kind: 'on', listeners: 0 });
  });

  it('replaces the table when the pools change', async () => {
    await vips.update(meshTable([tableHost({})]));
    await vips.update(meshTable([tableHost({})], [{ ipv4: '10.240.0.0/16', ipv6: '2001:2::/48' }]));
    expect(host.applied).toHaveLength(2);
    expect(host.applied[1]).toContain('ip daddr 10.240.0.0/16 goto vips');
  });

  it('says which families of a host lead anywhere', async () => {
    const endpoints = [{ address: '10.0.0.1' }];
    const both = tableHost({ host: 'both.example', endpoints: [...endpoints, { address: '2001:db8::1' }] });
    const none = tableHost({ host: 'none.example', endpoints: [{ address: '169.254.169.254' }] });
    await vips.update(meshTable([tableHost({ endpoints }), both, none]));
    expect(await vips.ready('a.example')).toEqual({ ipv4: true, ipv6: false });
    expect(await vips.ready('both.example')).toEqual({ ipv4: true, ipv6: true });
    expect(await vips.ready('none.example')).toEqual({ ipv4: false, ipv6: false });
    expect(await vips.ready('unknown.example')).toBeUndefined();
  });

  it('has programmed a name when it is ready', async () => {
    host.names.set('db.example', { addresses: ['10.0.0.7'], ttl: 60 });
    await vips.update(meshTable([byName]));
    expect(await vips.ready('b.example')).toEqual({ ipv4: true, ipv6: false });
    expect([...host.applied, ...host.sent].join()).toContain('240.240.0.1 . tcp . 80 : 10.0.0.7 . 80');
  });

  it('starts with what an earlier run knew, and keeps it while nobody answers', async () => {
    await vips.stop();
    vips = new VipForwarding(host.options(new Map([['db.example', ['10.0.0.6']]])));
    await vips.update(meshTable([byName]));
    expect(host.applied[0]).toContain('240.240.0.1 . tcp . 80 : 10.0.0.6 . 80');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(host.sent.filter((line) => line.includes('delete'))).toEqual([]);
  });

  it('looks a name up again when its TTL is over, and moves the listeners that use it', async () => {
    host.names.set('db.example', { addresses: ['10.0.0.7'], ttl: 10 });
    await vips.update(meshTable([byName]));
    await vips.ready('b.example');
    host.names.set('db.example', { addresses: ['10.0.0.8'], ttl: 10 });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(host.changes().at(-1)).toContain('240.240.0.1 . tcp . 80 : 10.0.0.8 . 80');
    expect(host.memory?.names).toEqual(new Map([['db.example', ['10.0.0.8']]]));
  });

  it('looks a name of an earlier run up again when its TTL is over: a program may have kept the VIP', async () => {
    await vips.stop();
    vips = new VipForwarding(host.options(new Map([['db.example', ['10.0.0.6']]])));
    host.names.set('db.example', { addresses: ['10.0.0.6'], ttl: 10 });
    await vips.update(meshTable([byName]));
    host.names.set('db.example', { addresses: ['10.0.0.8'], ttl: 10 });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(host.changes().at(-1)).toContain('240.240.0.1 . tcp . 80 : 10.0.0.8 . 80');
  });

  it('looks after names that nobody asked for every ten minutes only', async () => {
    host.names.set('db.example', { addresses: ['10.0.0.7'], ttl: 10 });
    await vips.update(meshTable([byName]));
    await vi.advanceTimersByTimeAsync(590_000);
    expect(host.lookedUp).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(host.lookedUp).toHaveLength(2);
  });

  it('has UDP flows to a former target forgotten', async () => {
    const ports = [{ name: 'dns', number: 53, protocol: 'UDP' }];
    await vips.update(meshTable([tableHost({ ports })]));
    await vips.update(meshTable([tableHost({ ports, endpoints: [{ address: '10.0.0.9' }] })]));
    expect(host.forgotten).toEqual([{ vip: '240.240.0.1', port: '53', target: '10.0.0.1' }]);
  });

  it('has UDP flows forgotten whose target was taken away while it did not run', async () => {
    host.held = ['10.0.0.1', '10.0.0.9'].map((target, slot) => ({
      variable: 'many4',
      key: `240.240.0.1 . udp . 53 . ${slot}`,
      value: `${target} . 53`,
    }));
    await vips.update(meshTable([tableHost({ ports: [{ name: 'dns', number: 53, protocol: 'UDP' }] })]));
    expect(host.forgotten).toEqual([{ vip: '240.240.0.1', port: '53', target: '10.0.0.9' }]);
    await vips.update(meshTable([]));
    expect(host.forgotten).toHaveLength(2);
  });

  it('takes away the routes of ranges that are none any more, also those of an earlier run', async () => {
    await vips.stop();
    vips = new VipForwarding(host.options(new Map(), ['10.200.0.0/16', '240.240.0.0/16']));
    await vips.update(meshTable([tableHost({})]));
    expect(host.routes).toEqual(['remove 10.200.0.0/16', 'add 240.240.0.0/16']);
    expect(host.memory?.prefixes.ipv4).toEqual(['240.240.0.0/16']);
  });

  it('puts back routes that somebody removed', async () => {
    await vips.update(meshTable([tableHost({})]));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(host.routes.filter((one) => one === 'add 240.240.0.0/16')).toHaveLength(2);
  });

  it('keeps its hands off what is behind a route of the host, and says which', async () => {
    host.clash = 'this host routes 240.240.7.0/24 through eth0';
    await vips.update(meshTable([tableHost({})]));
    expect(vips.state()).toEqual({ kind: 'failed', reason: host.clash });
    expect(host.applied).toEqual([REMOVE_TABLE]);
    expect(host.routes.filter((one) => one.startsWith('add'))).toEqual([]);
    host.clash = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vips.state()).toEqual({ kind: 'on', listeners: 1 });
    expect(host.routes.at(-1)).toBe('add 240.240.0.0/16');
    expect(host.logged).toHaveLength(2);
  });

  it('withdraws when the host gets such a route later', async () => {
    await vips.update(meshTable([tableHost({})]));
    host.clash = 'this host routes 240.240.7.0/24 through eth0';
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vips.state()).toMatchObject({ kind: 'failed' });
    expect(host.applied.at(-1)).toBe(REMOVE_TABLE);
    expect(host.routes.at(-1)).toBe('remove 240.240.0.0/16');
  });

  it('puts the table back when somebody flushed it', async () => {
    await vips.update(meshTable([tableHost({})]));
    host.failure = new NftError('No such file or directory');
    await vi.advanceTimersByTimeAsync(5_000);
    host.failure = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(host.applied).toHaveLength(2);
    expect(host.applied[1]).toContain('240.240.0.1 . tcp . 80 : 10.0.0.1 . 80');
    expect(host.logged).toContain('vips: somebody removed the table; it is put back');
    expect(vips.state()).toEqual({ kind: 'on', listeners: 1 });
  });

  it('says once that VIPs cannot be carried, tries again, and says when they are', async () => {
    host.failure = new NftError('the nft command is not there (package nftables)');
    await vips.update(meshTable([tableHost({})]));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(vips.state()).toEqual({ kind: 'failed', reason: 'the nft command is not there (package nftables)' });
    expect(host.logged).toEqual(['vips: cannot be carried: the nft command is not there (package nftables)']);
    host.failure = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(host.logged.at(-1)).toBe('vips: carried again');
    expect(host.applied).toHaveLength(1);
  });

  it('leaves everything in place when it stops', async () => {
    await vips.update(meshTable([tableHost({})]));
    await vips.stop();
    expect(host.sent).toEqual([]);
    expect(host.applied).toHaveLength(1);
    expect(host.closed).toBe(true);
  });
});
