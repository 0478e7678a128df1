import { describe, expect, it } from 'vitest';
import type { ResourceRecord } from '../../src/dns/record.ts';
import type { Reachable } from '../../src/shim/vip-carrier.ts';
import { VipGate } from '../../src/shim/vip-gate.ts';
import { answersOf, name, query, responseWire } from '../support/dns.ts';
import { meshTable, vipHost } from '../support/running-shim.ts';

const TABLE = meshTable([vipHost('db.internal', '240.240.0.7')]);

/** A gate, and the hosts with virtual IPs that it waited for. */
function gateFor(reachable: Reachable | undefined) {
  const waited: string[] = [];
  const gate = new VipGate({
    refresh: () => Promise.resolve(),
    beforeAnswer: async (host, vip) => {
      waited.push(`${host} ${vip}`);
      return reachable;
    },
  });
  gate.use(TABLE);
  return { gate, waited };
}

const record = (type: 'A' | 'AAAA', address: string): ResourceRecord => ({
  owner: name('db.internal'),
  ttl: 30,
  type,
  address,
});

function admit(gate: VipGate, type: 'A' | 'AAAA', ...addresses: string[]) {
  const asked = query('db.internal', type);
  if (asked.question === undefined) throw new Error('no question');
  const response = responseWire(asked, { answers: addresses.map((address) => record(type, address)) });
  return { response, admitted: gate.admit(asked, asked.question, response) };
}

describe('an answer', () => {
  it.each([
    ['A', ['192.0.2.1', '240.239.255.255', '240.241.0.0']],
    ['AAAA', ['2001:db8::1', '2001:1:ffff::', '2001:2:1::', '::ffff:240.240.0.7']],
    ['A', []],
  ] as const)('to %s with %j goes at once', (type, addresses) => {
    const { gate, waited } = gateFor(undefined);
    const { response, admitted } = admit(gate, type, ...addresses);
    expect(admitted).toBe(response);
    expect(waited).toEqual([]);
  });

  it.each([
    ['A', '240.240.0.7'],
    ['AAAA', '2001:2::0:7'],
  ] as const)('to %s with the virtual IP %s waits for it', async (type, vip) => {
    const { gate, waited } = gateFor({ ipv4: true, ipv6: true });
    const { response, admitted } = admit(gate, type, vip);
    expect(admitted).toBeInstanceOf(Promise);
    expect(await admitted).toBe(response);
    expect(waited).toHaveLength(1);
    expect(waited[0]).toMatch(/^db\.internal /);
  });

  it('says nothing of a family that leads nowhere while the other leads somewhere', async () => {
    const { gate } = gateFor({ ipv4: true, ipv6: false });
    const { admitted } = admit(gate, 'AAAA', '2001:2::0:7');
    expect(answersOf(await admitted)).toEqual([]);
  });

  it('goes at once where there is no table', () => {
    const { gate } = gateFor(undefined);
    gate.use(undefined);
    const { response, admitted } = admit(gate, 'A', '240.240.0.7');
    expect(admitted).toBe(response);
  });
});
