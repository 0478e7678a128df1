import { parseArgs } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readShimSettings, SHIM_FLAGS, type ShimSettings, shimSettingsText } from '../../src/shim/settings.ts';

const file = (text: string) => readShimSettings({ file: { name: 'shim.conf', text } });

function settings(text: string, argv: readonly string[] = []): ShimSettings {
  const { values } = parseArgs({ args: [...argv], options: SHIM_FLAGS });
  const read = readShimSettings({ file: { name: 'shim.conf', text }, flags: values });
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return read.settings;
}

const errors = (text: string): readonly string[] => {
  const read = file(text);
  return read.ok ? [] : read.errors;
};

describe("the shim's settings", () => {
  it('have defaults that depend on whether port 53 may be listened on', () => {
    expect(settings('').listen).toEqual([
      { address: '127.0.0.1', port: 15053 },
      { address: '::1', port: 15053 },
    ]);
    const privileged = readShimSettings({ privileged: true });
    expect(privileged.ok && privileged.settings.listen.map(({ port }) => port)).toEqual([53, 53]);
    expect(settings('')).toMatchObject({
      endpoints: [],
      auth: 'none',
      fallback: 'system',
      capture: 'none',
      vips: 'auto',
    });
  });

  it('read keys, comments and repeated keys', () => {
    const text = `
# the mesh
endpoint = https://a.example/dns-query
endpoint=https://b.example/dns-query
  listen   =   127.0.0.1:53
listen = [::1]:53
route = corp.example=udp://10.0.0.2
route = .=system
token-file = /etc/meshdoh/token
stale-max = 30m
bridge = docker0
capture = nft
`;
    expect(settings(text)).toMatchObject({
      endpoints: ['https://a.example/dns-query', 'https://b.example/dns-query'],
      listen: [
        { address: '127.0.0.1', port: 53 },
        { address: '::1', port: 53 },
      ],
      routes: [
        { suffix: 'corp.example', target: { kind: 'udp', server: { address: '10.0.0.2', port: 53 } } },
        { suffix: '.', target: { kind: 'system' } },
      ],
      auth: 'token',
      staleMaxMs: 1_800_000,
      bridges: ['docker0'],
    });
  });

  it('let a flag replace all that the file says of its key', () => {
    const text = 'endpoint = https://a.example/dns-query\nlog = debug\n';
    expect(settings(text, ['--endpoint', 'https://c.example/dns-query'])).toMatchObject({
      endpoints: ['https://c.example/dns-query'],
      log: 'debug',
    });
  });

  it('can be written and read again', () => {
    const text = 'endpoint = https://a.example/dns-query\nroute = corp.example=https://10.0.0.1/dns-query\n';
    const read = file(text);
    expect(read.ok && shimSettingsText(read.given)).toBe(text);
  });

  it('are refused with all that is wrong at once, each with its line', () => {
    expect(
      errors('listen = 0.0.0.0:53\nlisten = host:53\nfallbck = none\ncapture = yes\nnonsense\nlog = info\nlog = debug'),
    ).toEqual([
      'shim.conf:3: "fallbck" is unknown: did you mean "fallback"?',
      'shim.conf:5: expected "key = value", or "#" and a comment',
      'shim.conf:7: "log" is "debug": expected once, and shim.conf:6 has given it already',
      'shim.conf:1: "listen" is "0.0.0.0:53": replies from the wildcard leave from the wrong address; name each address',
      'shim.conf:2: "listen" is "host:53": expected ADDRESS:PORT, such as "127.0.0.1:53" or "[::1]:53"',
      'shim.conf:4: "capture" is "yes": expected "none" or "resolver" or "nft"',
    ]);
  });

  it.each([
    ['endpoint = http://192.0.2.1/dns-query', 'loopback only'],
    ['endpoint = https://a.example/', 'https URL of a DoH endpoint'],
    ['endpoint = ftp://a.example/dns-query', 'https'],
    ['listen = [::]:53', 'wildcard'],
    ['listen = 127.0.0.1:65536', 'ADDRESS:PORT'],
    ['listen = [fe80::1%eth0]:53', 'ADDRESS:PORT'],
    ['bootstrap = a.example', 'an IP address'],
    ['token-file = token', 'an absolute path'],
    ['auth = token', '"token-file" is missing'],
    ['auth = iam\nendpoint = http://127.0.0.1:1/dns-query', 'https'],
    ['auth = none\ntoken-file = /t', '"auth" is "none"'],
    ['route = a.example', 'SUFFIX=TARGET'],
    ['route = a.example=udp://name', 'ADDRESS:PORT'],
    ['route = *.a.example=system', 'without "*."'],
    ['route = a.example=doh\nroute = A.example=system', 'more than one target'],
    ['stale-max = 2h', '1h at most'],
    ['table-interval = 0s', 'from 1s'],
    ['metrics-listen = 192.0.2.1:80', 'loopback'],
    ['bridge = docker0', 'capture = nft'],
    ['cache-bytes = 1', 'at least 65536'],
  ])('refuse %j', (text, reason) => {
    expect(errors(text).join('\n')).toContain(reason);
  });

  it('never show a credential that was put into a URL', () => {
    const secret = 'A'.repeat(43);
    for (const text of [
      `endpoint = https://a.example/${secret}/dns-query`,
      `endpoint = https://u:${secret}@a.example/dns-query`,
      `token-file = ${secret}`,
    ]) {
      expect(errors(text).join('\n')).toContain('"token-file"');
      expect(errors(text).join('\n')).not.toContain(secret);
    }
    expect(errors(`token = ${secret}`).join('\n')).not.toContain(secret);
  });
});
