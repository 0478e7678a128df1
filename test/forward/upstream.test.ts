import { describe, expect, it } from 'vitest';
import { InvalidUpstreamError, parseUpstream, type Upstream } from '../../src/forward/upstream.ts';

describe('parseUpstream', () => {
  it.each<Upstream>([
    { url: 'https://dns.example/dns-query' },
    { url: 'https://dns.example:8443/secret/dns-query?x=1' },
    { url: 'https://192.0.2.1/dns-query' },
    { url: 'https://dns.example/dns-query', bootstrap: ['192.0.2.1', '2001:db8::1'] },
    { url: 'http://localhost:8053/dns-query' },
    { url: 'http://127.0.0.2/dns-query', bootstrap: ['127.0.0.1'] },
    { url: 'http://[::1]:8053/dns-query' },
  ])('accepts $url', (upstream) => {
    expect(parseUpstream(upstream).url.href).toBe(upstream.url);
  });

  it.each<[Upstream, string]>([
    [{ url: 'dns.example' }, 'not a URL'],
    [{ url: 'tls://dns.example' }, 'not an https:// URL'],
    [{ url: 'http://dns.example/dns-query' }, 'loopback only'],
    [{ url: 'http://10.0.0.1/dns-query' }, 'loopback only'],
    [{ url: 'http://localhost.example/dns-query' }, 'loopback only'],
    [{ url: 'http://localhost/dns-query', bootstrap: ['192.0.2.1'] }, 'loopback only'],
    [{ url: 'https://dns.example/', bootstrap: ['dns.example'] }, 'bootstrap dns.example is not an IP address'],
    [{ url: 'https://user:secret@dns.example/' }, 'user name or password'],
  ])('rejects %o', (upstream, reason) => {
    expect(() => parseUpstream(upstream)).toThrow(InvalidUpstreamError);
    expect(() => parseUpstream(upstream)).toThrow(reason);
  });

  it('does not repeat a password', () => {
    expect(() => parseUpstream({ url: 'https://user:secret@dns.example/' })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });
});
