import { describe, expect, it } from 'vitest';
import { destinationOf, vipListeners } from '../../../src/shim/vips/listeners.ts';
import { meshTable, tableHost } from './mesh.ts';

describe('the listeners of a table', () => {
  it('are the ports of its VIPs, UDP where the port says so', () => {
    const host = tableHost({
      ports: [
        { name: 'http', number: 80, protocol: 'HTTP' },
        { name: 'dns', number: 53, protocol: 'UDP' },
      ],
      endpoints: [{ address: '10.0.0.1' }],
    });
    expect(vipListeners(meshTable([host]))).toEqual([
      {
        host: 'a.example',
        ipv4: '240.240.0.1',
        ipv6: '2001:2::1',
        transport: 'tcp',
        port: 80,
        targets: [{ address: '10.0.0.1', port: 80, weight: 1 }],
      },
      expect.objectContaining({ transport: 'udp', port: 53 }),
    ]);
  });

  it.each([
    ['its own for the port', { address: '10.0.0.1', ports: { 80: 8081 } }, 8080, 8081],
    ["the port's target", { address: '10.0.0.1' }, 8080, 8080],
    ['the port itself', { address: '10.0.0.1' }, undefined, 80],
  ])('send to the target port of an endpoint: %s', (_, endpoint, targetPort, expected) => {
    const port = { name: 'http', number: 80, protocol: 'HTTP', ...(targetPort === undefined ? {} : { targetPort }) };
    const [listener] = vipListeners(meshTable([tableHost({ ports: [port], endpoints: [endpoint] })]));
    expect(listener?.targets).toEqual([{ address: '10.0.0.1', port: expected, weight: 1 }]);
  });

  it('leave out endpoints without weight, and those that do not serve the port', () => {
    const endpoints = [
      { address: '10.0.0.1', weight: 0 },
      { address: '10.0.0.2', serves: [443] },
      { address: '10.0.0.3', weight: 3 },
    ];
    const [listener] = vipListeners(meshTable([tableHost({ endpoints })]));
    expect(listener?.targets).toEqual([{ address: '10.0.0.3', port: 80, weight: 3 }]);
  });

  it.each([
    ['DNS', ['a.example']],
    ['DNS_ROUND_ROBIN', ['a.example']],
    ['STATIC', []],
  ] as const)('lead to the name itself without endpoints and with resolution %s: %j', (resolution, expected) => {
    const [listener] = vipListeners(meshTable([tableHost({ resolution, endpoints: [] })]));
    expect(listener?.targets.map(({ address }) => address)).toEqual(expected);
  });

  it('are none of hosts without a VIP, and of wildcard hosts, which need a proxy', () => {
    const { vip: _, ...literal } = tableHost({});
    expect(
      vipListeners(meshTable([literal, tableHost({ host: '*.wild.example', resolution: 'DYNAMIC_DNS' })])),
    ).toEqual([]);
  });

  it("have Istio's name for where they lead", () => {
    expect(destinationOf({ host: 'tcp-echo.external-1.svc.cluster.local', port: 9000 })).toBe(
      'outbound|9000||tcp-echo.external-1.svc.cluster.local',
    );
  });
});
