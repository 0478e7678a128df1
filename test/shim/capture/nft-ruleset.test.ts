import { describe, expect, it } from 'vitest';
import { nftRuleset } from '../../../src/shim/capture/nft-ruleset.ts';

const CONTENT = {
  ownUid: 1053,
  exemptUids: [101, 1053, 99],
  redirect: { port: 15053, addresses: ['127.0.0.1', '::1'] },
  bridges: ['br-0123456789ab', 'docker0'],
};
const rules = (some: Partial<typeof CONTENT> = {}): string => nftRuleset({ ...CONTENT, ...some });

/** The lines of a chain, without its declaration. */
function chain(name: string, text = rules()): string[] {
  const [, body = ''] = new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n\\t\\}`).exec(text) ?? [];
  return body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !line.startsWith('type '));
}

describe('nftRuleset', () => {
  it('replaces the table in one transaction, whether there was one or not', () => {
    expect(rules().split('\n').slice(0, 3)).toEqual([
      'add table inet mesh_dns',
      'delete table inet mesh_dns',
      'table inet mesh_dns {',
    ]);
  });

  it('arms by a datagram of the own user only, and begins armed so that a reapply has no gap', () => {
    const [arm, disarm] = chain('raw_out');
    expect(arm).toBe(
      'meta skuid 1053 ip daddr 127.0.53.53 udp dport 53 update @alive { udp dport timeout 2500ms } drop',
    );
    expect(disarm).toBe('meta skuid 1053 ip daddr 127.0.53.54 udp dport 53 delete @alive { udp dport } drop');
    expect(rules()).toContain('elements = { 53 timeout 2500ms }');
  });

  it('takes the queries of everybody but the shim and exempt users, each named once', () => {
    const exempt = 'meta skuid != { 99, 101, 1053 }';
    expect(chain('nat_out')).toEqual([`${exempt} meta l4proto { tcp, udp } th dport @alive redirect to :15053`]);
    expect(chain('raw_out')[2]).toBe(`${exempt} udp dport @alive ct original zone set 53`);
  });

  it('gives a zone of its own to captured queries only, and only while armed', () => {
    const zoned = rules()
      .split('\n')
      .filter((line) => line.includes('zone set'));
    expect(zoned).toHaveLength(2);
    for (const line of zoned) expect(line).toMatch(/udp dport @alive ct original zone set 53$/);
  });

  it('takes what comes from bridges, and closes the port to everybody else', () => {
    expect(rules()).toContain('elements = { "br-0123456789ab", "docker0" }');
    expect(chain('nat_pre')).toEqual(['iifname @bridges meta l4proto { tcp, udp } th dport @alive redirect to :15053']);
    expect(chain('guard_in')).toEqual([
      'iifname != "lo" meta l4proto { tcp, udp } th dport 15053 ct status & dnat != dnat drop',
    ]);
  });

  it('without bridges has an empty set of them', () => {
    expect(rules({ bridges: [] })).not.toContain('docker0');
    expect(rules({ bridges: [] }).match(/elements/g)).toHaveLength(1);
  });

  it.each([
    { addresses: ['127.0.0.1'], match: 'meta nfproto ipv4 ' },
    { addresses: ['::1'], match: 'meta nfproto ipv6 ' },
  ])('takes only the family that $addresses can answer', ({ addresses, match }) => {
    const text = rules({ redirect: { port: 15053, addresses } });
    for (const line of text.split('\n').filter((one) => /redirect to|zone set/.test(one)))
      expect(line).toContain(match);
  });
});
