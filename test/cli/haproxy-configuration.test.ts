import { describe, expect, it } from 'vitest';
import { haproxyConfiguration } from '../../src/cli/haproxy-configuration.ts';
import { meshTable, tableHost } from '../shim/vips/mesh.ts';

const textOf = (...hosts: Parameters<typeof tableHost>[0][]) =>
  haproxyConfiguration(meshTable(hosts.map(tableHost)), { resolvers: ['10.0.0.2:53'] });

describe('a configuration of HAProxy', () => {
  it('has a listener for each address of a VIP, named as Istio names its destination', () => {
    const { text, omitted } = textOf({ endpoints: [{ address: '10.0.0.1', weight: 2 }, { address: '2001:db8::1' }] });
    expect(text).toContain('listen outbound:80::a.example.ipv4\n    bind 240.240.0.1:80\n');
    expect(text).toContain('listen outbound:80::a.example.ipv6\n    bind [2001:2::1]:80 transparent\n');
    expect(text).toContain(
      '    server endpoint-1 10.0.0.1:80 weight 2\n    server endpoint-2 [2001:db8::1]:80 weight 1\n',
    );
    expect(omitted).toEqual([]);
  });

  it('has names resolved by who was named, and by nobody else', () => {
    const byName = { resolution: 'DNS' as const, endpoints: [] };
    expect(textOf(byName).text).toContain('nameserver resolver-1 10.0.0.2:53');
    expect(textOf(byName).text).toContain('server endpoint-1 a.example:80 weight 1 resolvers outside');
    const { text, omitted } = haproxyConfiguration(meshTable([tableHost(byName)]), { resolvers: [] });
    expect(text).not.toContain('listen ');
    expect(omitted).toEqual([expect.stringContaining('--resolver')]);
  });

  it.each([
    ['UDP', { ports: [{ name: 'dns', number: 53, protocol: 'UDP' }] }, 'no UDP'],
    ['a host without endpoints', { endpoints: [] }, 'no endpoint'],
    ['a wildcard host', { host: '*.wild.example', resolution: 'DYNAMIC_DNS' as const }, 'only a proxy for HTTP or TLS'],
  ])('leaves out what it cannot carry, and says so: %s', (_, host, reason) => {
    const { text, omitted } = textOf(host);
    expect(text).not.toContain('listen ');
    expect(omitted).toEqual([expect.stringContaining(reason)]);
  });

  it('leads to no address that a VIP must not lead to, and names each', () => {
    const forbidden = ['127.0.0.1', '169.254.169.254', '240.240.0.9', 'fe80::1'];
    const endpoints = [...forbidden, '10.0.0.1'].map((address) => ({ address }));
    const { text, omitted } = textOf({ endpoints });
    expect(text.match(/^ {4}server .*$/gm)).toEqual(Array(2).fill('    server endpoint-1 10.0.0.1:80 weight 1'));
    expect(omitted).toEqual(forbidden.map((one) => `outbound|80||a.example: no VIP may lead to ${one}`));
  });

  it('keeps the proportions of weights above 256', () => {
    const endpoints = [
      { address: '10.0.0.1', weight: 1000 },
      { address: '10.0.0.2', weight: 3000 },
    ];
    const { text } = textOf({ endpoints });
    expect(text).toContain('10.0.0.1:80 weight 85\n');
    expect(text).toContain('10.0.0.2:80 weight 256\n');
  });
});
