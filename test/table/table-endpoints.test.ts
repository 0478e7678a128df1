import { describe, expect, it } from 'vitest';
import type { TableHost } from '../../src/table/mesh-table.ts';
import { targetsOf } from '../../src/table/table-endpoints.ts';
import { onlyHost, stored, tableOf, VIP } from './registered.ts';

const HOST = 'a.internal';
const vip = { [HOST]: VIP };
const HTTP = { name: 'http', number: 80, protocol: 'HTTP' };
const ALT = { name: 'alt', number: 81, protocol: 'HTTP', targetPort: 8081 };

const hostOf = (...specs: readonly object[]): TableHost =>
  onlyHost(tableOf(specs.map((spec, at) => stored(`e${at}`, { hosts: [HOST], ...spec } as never, vip))));

const targets = (host: TableHost, number: number): string[] => {
  const port = host.ports.find((one) => one.number === number);
  if (!port) throw new Error(`no port ${number}`);
  return targetsOf(host, port).map((target) => `${target.address}:${target.port}*${target.weight}`);
};

describe('the endpoints of a host', () => {
  it('have the port that they name themselves, else the target port, else the number', () => {
    const endpoints = [{ address: '10.0.0.1', ports: { http: 8080, alt: 8081 } }, { address: 'b.example.com' }];
    const host = hostOf({ ports: [HTTP, ALT], endpoints });
    expect(host.endpoints).toEqual([{ address: '10.0.0.1', ports: { 80: 8080 } }, { address: 'b.example.com' }]);
    expect(targets(host, 80)).toEqual(['10.0.0.1:8080*1', 'b.example.com:80*1']);
    expect(targets(host, 81)).toEqual(['10.0.0.1:8081*1', 'b.example.com:8081*1']);
  });

  it('have their weights, and none of 0', () => {
    const endpoints = [{ address: '10.0.0.1', weight: 3 }, { address: '10.0.0.2', weight: 0 }, { address: '10.0.0.3' }];
    const host = hostOf({ resolution: 'STATIC', endpoints });
    expect(host.endpoints).toEqual([{ address: '10.0.0.1', weight: 3 }, { address: '10.0.0.3' }]);
    expect(targets(host, 80)).toEqual(['10.0.0.1:80*3', '10.0.0.3:80*1']);
  });

  it('are the host itself where its addresses are looked up by name', () => {
    const host = hostOf({ resolution: 'DNS', ports: [ALT] });
    expect(host.endpoints).toEqual([]);
    expect(targets(host, 81)).toEqual([`${HOST}:8081*1`]);
  });

  it('are none where all have weight 0: connections must not go to the host itself instead', () => {
    expect(targets(hostOf({ endpoints: [{ address: 'b.example.com', weight: 0 }] }), 80)).toEqual([]);
  });

  it('leave out what nothing can connect to', () => {
    const endpoints = [{ address: 'unix:///run/a.sock' }, { address: 'fe80::1%eth0' }, { address: '::ffff:10.0.0.1' }];
    expect(hostOf({ resolution: 'STATIC', endpoints }).endpoints).toEqual([{ address: '10.0.0.1' }]);
  });

  it('serve the ports of their own entry only', () => {
    const host = hostOf(
      { ports: [HTTP], resolution: 'STATIC', endpoints: [{ address: '10.0.0.1' }] },
      { ports: [ALT], resolution: 'STATIC', endpoints: [{ address: '10.0.0.2' }] },
    );
    expect(targets(host, 80)).toEqual(['10.0.0.1:80*1']);
    expect(targets(host, 81)).toEqual(['10.0.0.2:8081*1']);
  });

  it('serve the host itself beside the endpoints of another entry', () => {
    const host = hostOf({ ports: [HTTP] }, { ports: [ALT], endpoints: [{ address: '10.0.0.2' }] });
    expect(targets(host, 80)).toEqual([`${HOST}:80*1`]);
    expect(targets(host, 81)).toEqual(['10.0.0.2:8081*1']);
  });

  it('are told once where entries agree', () => {
    const spec = { resolution: 'STATIC', endpoints: [{ address: '10.0.0.1' }] };
    expect(hostOf(spec, spec).endpoints).toEqual([{ address: '10.0.0.1' }]);
  });

  it('are not told of a host without a VIP: nothing is carried to them', () => {
    const host = hostOf({ resolution: 'NONE', addresses: ['198.51.100.1'], endpoints: [{ address: '10.0.0.1' }] });
    expect(host.endpoints).toEqual([]);
    expect(targets(host, 80)).toEqual([]);
  });
});
