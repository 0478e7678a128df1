import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSettingsFile } from '../src/settings/settings-file.ts';
import { defaults, resolveSettings, type SettingSources, type Settings } from '../src/settings.ts';

function resolved(sources: Partial<SettingSources>): Settings {
  const result = resolveSettings({ environment: {}, ...sources });
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  return result.settings;
}

function messages(sources: Partial<SettingSources>): string[] {
  const result = resolveSettings({ environment: {}, ...sources });
  return result.ok ? [] : result.errors.map(({ message }) => message);
}

describe('the defaults', () => {
  it('are what nobody has to write', () => {
    expect(resolved({})).toEqual(defaults);
    expect(defaults).toEqual({
      listen: { host: '127.0.0.1', port: 8053 },
      store: { kind: 'memory' },
      auth: 'tokens',
      view: {
        namespace: 'default',
        searchDomains: [],
        clusterDomain: 'cluster.local',
        families: ['ipv4'],
        vips: true,
        forwardUnknown: true,
      },
      pools: { ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' },
      tombstoneMs: 86_400_000,
      ttl: { vip: 300, owned: 30, negative: 30 },
      privateZones: ['cluster.local', 'internal'],
      upstreams: [
        { url: 'https://cloudflare-dns.com/dns-query', bootstrap: ['1.1.1.1', '1.0.0.1'] },
        { url: 'https://dns.quad9.net/dns-query', bootstrap: ['9.9.9.9', '149.112.112.112'] },
      ],
      routes: new Map(),
      upstreamTimeoutMs: 700,
      queryTimeoutMs: 1500,
      staleMaxMs: 3_600_000,
      cacheBytes: 33_554_432,
      registryCacheMs: 5000,
    });
  });

  it('pass the rules for what is written', () => {
    const { listen, store, tombstoneMs, routes, ...rest } = defaults;
    const file = {
      ...rest,
      listen: `${listen.host}:${listen.port}`,
      store: store.kind,
      tombstone: `${tombstoneMs}ms`,
      routes: Object.fromEntries(routes),
    };
    expect(resolved({ file })).toEqual(defaults);
  });
});

describe('the listener for metrics', () => {
  it('is there where a setting names one, on loopback', () => {
    expect(resolved({}).metrics).toBeUndefined();
    const environment = { MESHDOH_METRICS: '[::1]:9153' };
    expect(resolved({ environment }).metrics).toEqual({ host: '::1', port: 9153 });
  });

  it('is refused anywhere else, because it asks for no credential', () => {
    expect(messages({ flags: { metrics: '192.0.2.1:9153' } })).toEqual([
      expect.stringMatching(/^setting "metrics" \(--metrics\) is "192\.0\.2\.1:9153": expected a loopback address, /),
    ]);
  });
});

describe('where a setting is given', () => {
  const file = { queryTimeoutMs: 1000, ttl: { vip: 100, owned: 10 } };

  it.each([
    ['a file over the default', { file }, 1000],
    ['a variable over the file', { file, environment: { MESHDOH_QUERY_TIMEOUT_MS: '2000' } }, 2000],
    [
      'a flag over the variable',
      { file, environment: { MESHDOH_QUERY_TIMEOUT_MS: '2000' }, flags: { queryTimeoutMs: '3000' } },
      3000,
    ],
  ])('decides: %s', (_, sources, queryTimeoutMs) => {
    expect(resolved(sources).queryTimeoutMs).toBe(queryTimeoutMs);
  });

  it('leaves the other members of its group as they are', () => {
    const environment = { MESHDOH_TTL_OWNED: '20' };
    expect(resolved({ file, environment }).ttl).toEqual({ vip: 100, owned: 20, negative: 30 });
  });

  it('may be a whole group in one variable, whose members own variables win', () => {
    const environment = { MESHDOH_TTL_VIP: '60', MESHDOH_TTL: '{"vip": 50, "negative": 5}' };
    expect(resolved({ environment }).ttl).toEqual({ vip: 60, owned: 30, negative: 5 });
  });

  it('may be a flag of a member of a group', () => {
    expect(resolved({ flags: { ttlVip: '60', viewNamespace: 'shop', poolsIpv4: '240.241.0.0/16' } })).toMatchObject({
      ttl: { vip: 60 },
      view: { namespace: 'shop' },
      pools: { ipv4: '240.241.0.0/16' },
    });
  });

  it('may be left undefined, and flags and variables of others are none of its business', () => {
    const environment = {
      MESHDOH_SERVER: 'http://x',
      MESHDOH_TOKEN_FILE: 't',
      MESHDOH_SETTINGS: 's',
      MESHDOH_LISTEN: undefined,
      PATH: '/bin',
    };
    expect(resolved({ environment, flags: { listen: undefined, verbose: true, settings: 'x.yaml' } })).toEqual(
      defaults,
    );
  });

  it.each([[undefined], [null], [{}]])('may be an empty file (%j)', (file) => {
    expect(resolved({ file })).toEqual(defaults);
  });
});

describe('what a setting may be', () => {
  it.each<[Record<string, string>, object]>([
    [{ MESHDOH_LISTEN: '0.0.0.0:80' }, { listen: { host: '0.0.0.0', port: 80 } }],
    [{ MESHDOH_LISTEN: '[::1]:8053' }, { listen: { host: '::1', port: 8053 } }],
    [{ MESHDOH_LISTEN: '[0:0:0:0:0:0:0:1]:8053' }, { listen: { host: '::1', port: 8053 } }],
    [{ MESHDOH_LISTEN: '[::ffff:127.0.0.1]:8053' }, { listen: { host: '127.0.0.1', port: 8053 } }],
    [{ MESHDOH_LISTEN: ':0' }, { listen: { host: '127.0.0.1', port: 0 } }],
    [{ MESHDOH_LISTEN: 'localhost:65535' }, { listen: { host: 'localhost', port: 65_535 } }],
    [{ MESHDOH_STORE: '.meshdoh' }, { store: { kind: 'folder', folder: '.meshdoh' } }],
    [{ MESHDOH_STORE: 'data/mesh' }, { store: { kind: 'folder', folder: 'data/mesh' } }],
    [{ MESHDOH_STORE: 'dynamodb', MESHDOH_TABLE: 'names' }, { store: { kind: 'dynamodb', table: 'names' } }],
    [
      { MESHDOH_STORE: 'dynamodb', MESHDOH_REGION: 'eu-central-1', MESHDOH_ENDPOINT: 'http://127.0.0.1:8000' },
      { store: { kind: 'dynamodb', table: 'meshdoh', region: 'eu-central-1', endpoint: 'http://127.0.0.1:8000' } },
    ],
    [{ MESHDOH_AUTH: 'none' }, { auth: 'none' }],
    [{ MESHDOH_AUTH: 'none', MESHDOH_LISTEN: '127.9.9.9:1' }, { auth: 'none' }],
    [{ MESHDOH_AUTH: 'none', MESHDOH_LISTEN: '[::ffff:127.0.0.1]:1' }, { auth: 'none' }],
    [{ MESHDOH_VIEW_VIPS: 'false' }, { view: { vips: false } }],
    [{ MESHDOH_VIEW_VIPS: 'proxy' }, { view: { vips: 'proxy' } }],
    [{ MESHDOH_VIEW_FORWARD_UNKNOWN: 'false' }, { view: { forwardUnknown: false } }],
    [{ MESHDOH_VIEW_FAMILIES: 'ipv6,ipv4,ipv6' }, { view: { families: ['ipv6', 'ipv4'] } }],
    [
      { MESHDOH_VIEW_SEARCH_DOMAINS: 'Shop.Example. , b.test' },
      { view: { searchDomains: ['shop.example', 'b.test'] } },
    ],
    [{ MESHDOH_VIEW: '{"namespace":"a"}', MESHDOH_VIEW_VIPS: 'true' }, { view: { namespace: 'a', vips: true } }],
    [{ MESHDOH_PRIVATE_ZONES: '' }, { privateZones: [] }],
    [{ MESHDOH_PRIVATE_ZONES: '[]' }, { privateZones: [] }],
    [{ MESHDOH_PRIVATE_ZONES: '["Corp.Internal."]' }, { privateZones: ['corp.internal'] }],
    [{ MESHDOH_UPSTREAMS: '' }, { upstreams: [] }],
    [
      { MESHDOH_UPSTREAMS: 'https://a.test/dns-query,http://127.0.0.1:8053/dns-query' },
      {
        upstreams: [
          { url: 'https://a.test/dns-query', bootstrap: [] },
          { url: 'http://127.0.0.1:8053/dns-query', bootstrap: [] },
        ],
      },
    ],
    [
      { MESHDOH_UPSTREAMS: '[{"url":"https://a.test/q","bootstrap":["192.0.2.1","2001:db8::1"]}]' },
      { upstreams: [{ url: 'https://a.test/q', bootstrap: ['192.0.2.1', '2001:db8::1'] }] },
    ],
    [{ MESHDOH_UPSTREAMS: 'http://[::1]:80/q' }, { upstreams: [{ url: 'http://[::1]/q', bootstrap: [] }] }],
    [
      { MESHDOH_ROUTES: '{"Corp.Example.":["https://a.test/q"],"void.test":[]}' },
      {
        routes: new Map([
          ['corp.example', [{ url: 'https://a.test/q', bootstrap: [] }]],
          ['void.test', []],
        ]),
      },
    ],
    [{ MESHDOH_TOMBSTONE: '7h' }, { tombstoneMs: 7 * 3_600_000 }],
    [{ MESHDOH_TOMBSTONE: '500m' }, { tombstoneMs: 500 * 60_000 }],
    [{ MESHDOH_TOMBSTONE: '90000s' }, { tombstoneMs: 90_000_000 }],
    [{ MESHDOH_TOMBSTONE: '90000000ms' }, { tombstoneMs: 90_000_000 }],
    [{ MESHDOH_UPSTREAM_TIMEOUT_MS: '50' }, { upstreamTimeoutMs: 50 }],
    [{ MESHDOH_REGISTRY_CACHE_MS: '0' }, { registryCacheMs: 0 }],
    [{ MESHDOH_STALE_MAX_MS: '0' }, { staleMaxMs: 0 }],
    [{ MESHDOH_CACHE_BYTES: '0' }, { cacheBytes: 0 }],
    [{ MESHDOH_TTL_NEGATIVE: '86400' }, { ttl: { negative: 86_400 } }],
    [{ MESHDOH_POOLS_IPV6: '2001:2:0:0::/48' }, { pools: { ipv6: '2001:2::/48' } }],
  ])('accepts %j', (environment, expected) => {
    expect(resolved({ environment })).toMatchObject(expected);
  });

  it.each<[Record<string, string>, string]>([
    [{ MESHDOH_UPSTREAM_TIMEOUT_MS: 'abc' }, 'is "abc": expected a whole number of milliseconds, at least 50'],
    [{ MESHDOH_UPSTREAM_TIMEOUT_MS: '49' }, 'is "49": expected a whole number of milliseconds, at least 50'],
    [{ MESHDOH_QUERY_TIMEOUT_MS: '1.5' }, 'is "1.5": expected a whole number of milliseconds, at least 50'],
    [{ MESHDOH_QUERY_TIMEOUT_MS: '' }, 'is "": expected a whole number of milliseconds, at least 50'],
    [{ MESHDOH_QUERY_TIMEOUT_MS: '1e3' }, 'is "1e3": expected a whole number of milliseconds, at least 50'],
    [
      { MESHDOH_QUERY_TIMEOUT_MS: '3000000000' },
      'is "3000000000": expected a whole number of milliseconds, at most 2147483647',
    ],
    [{ MESHDOH_REGISTRY_CACHE_MS: '-1' }, 'is "-1": expected a whole number of milliseconds, at least 0'],
    [{ MESHDOH_CACHE_BYTES: '32MiB' }, 'is "32MiB": expected a whole number of octets, at least 0'],
    [{ MESHDOH_TTL_VIP: '0' }, 'is "0": expected a whole number of seconds, at least 1'],
    [{ MESHDOH_TTL_OWNED: '86401' }, 'is "86401": expected a whole number of seconds, at most 86400'],
    [{ MESHDOH_LISTEN: '8053' }, 'is "8053": expected host:port'],
    [{ MESHDOH_LISTEN: '127.0.0.1:65536' }, 'expected host:port'],
    [{ MESHDOH_LISTEN: '127.0.0.256:53' }, 'expected host:port'],
    [{ MESHDOH_LISTEN: '::1:53' }, 'expected host:port'],
    [{ MESHDOH_LISTEN: '[127.0.0.1]:53' }, 'expected host:port'],
    [{ MESHDOH_LISTEN: 'a..b:53' }, 'expected host:port'],
    [{ MESHDOH_STORE: 'dynamo' }, 'is "dynamo": expected "memory", "dynamodb" or a folder, such as "./data"'],
    [{ MESHDOH_TABLE: 'a b' }, 'expected a DynamoDB table name'],
    [{ MESHDOH_REGION: 'eu central' }, 'expected an AWS region'],
    [{ MESHDOH_ENDPOINT: 'localhost:8000' }, 'expected the URL of a DynamoDB endpoint'],
    [{ MESHDOH_AUTH: 'off' }, 'is "off": expected "tokens" or "none"'],
    [
      { MESHDOH_AUTH: 'none', MESHDOH_LISTEN: '0.0.0.0:8053' },
      'setting "auth" (MESHDOH_AUTH) is "none": expected "tokens", because "listen" is 0.0.0.0:8053, which is not loopback',
    ],
    [{ MESHDOH_AUTH: 'none', MESHDOH_LISTEN: '[::]:8053' }, 'because "listen" is [::]:8053, which is not loopback'],
    [{ MESHDOH_AUTH: 'none', MESHDOH_LISTEN: 'localhost.example:1' }, 'which is not loopback'],
    [{ MESHDOH_VIEW_NAMESPACE: 'Shop' }, 'expected a namespace: lower-case letters, digits and "-"'],
    [{ MESHDOH_VIEW_VIPS: 'yes' }, 'is "yes": expected true or false or "proxy"'],
    [
      { MESHDOH_VIEW_FAMILIES: 'ipv4,ipv5' },
      'setting "view.families[1]" (MESHDOH_VIEW_FAMILIES) is "ipv5": expected "ipv4"',
    ],
    [
      { MESHDOH_VIEW: 'default' },
      'setting "view" (MESHDOH_VIEW) is "default": expected a mapping of namespace, search',
    ],
    [
      { MESHDOH_PRIVATE_ZONES: 'a..b' },
      'setting "privateZones[0]" (MESHDOH_PRIVATE_ZONES) is "a..b": expected a domain',
    ],
    [{ MESHDOH_PRIVATE_ZONES: '["a"' }, 'is "[\\"a\\"": expected a list'],
    [{ MESHDOH_POOLS_IPV4: '240.240.0.0' }, '"240.240.0.0" is not a prefix such as 240.240.0.0/16'],
    [{ MESHDOH_POOLS_IPV4: '2001:db8::/32' }, '"2001:db8::/32" is not an IPv4 prefix'],
    [{ MESHDOH_POOLS_IPV4: '240.240.0.0/8' }, 'must be between /12 and /29'],
    [{ MESHDOH_POOLS_IPV6: '2001:2::1/48' }, 'has bits set below its prefix length'],
    [
      { MESHDOH_POOLS_IPV6: '2001:2::/120' },
      'setting "pools.ipv6" (MESHDOH_POOLS_IPV6) is "2001:2::/120": "2001:2::/120" holds',
    ],
    [
      { MESHDOH_UPSTREAMS: 'http://192.0.2.1/q' },
      'is "http://192.0.2.1/q": expected an https URL: http is for loopback only',
    ],
    [{ MESHDOH_UPSTREAMS: 'http://127.0.0.1.example/q' }, 'http is for loopback only'],
    [{ MESHDOH_UPSTREAMS: 'https://dns.google' }, 'expected the https URL of a DoH endpoint with its path'],
    [{ MESHDOH_UPSTREAMS: 'https://dns.google/' }, 'expected the https URL of a DoH endpoint with its path'],
    [{ MESHDOH_UPSTREAMS: 'https://u:p@a.test/q' }, 'expected the https URL of a DoH endpoint with its path'],
    [{ MESHDOH_UPSTREAMS: 'https://a.test/dns-query{?dns}' }, 'expected the https URL of a DoH endpoint with its path'],
    [{ MESHDOH_UPSTREAMS: 'tls://1.1.1.1/q' }, 'expected the https URL of a DoH endpoint with its path'],
    [
      { MESHDOH_UPSTREAMS: '1.1.1.1' },
      'setting "upstreams[0]" (MESHDOH_UPSTREAMS) is "1.1.1.1": expected the https URL',
    ],
    [
      { MESHDOH_UPSTREAMS: '[{"url":"https://a.test/q","bootstrap":["192.0.2.1","dns.google"]}]' },
      'setting "upstreams[0].bootstrap[1]" (MESHDOH_UPSTREAMS) is "dns.google": expected an IP address',
    ],
    [
      { MESHDOH_UPSTREAMS: '[{"bootstrap":[]}]' },
      'setting "upstreams[0].url" (MESHDOH_UPSTREAMS) is undefined: expected',
    ],
    [{ MESHDOH_UPSTREAMS: '[{"url":"https://a.test/q","ip":"192.0.2.1"}]' }, 'setting "upstreams[0].ip"'],
    [{ MESHDOH_UPSTREAMS: '[{"url":"http://localhost/q","bootstrap":["192.0.2.1"]}]' }, 'expected loopback addresses'],
    [{ MESHDOH_UPSTREAMS: '[7]' }, 'setting "upstreams[0]" (MESHDOH_UPSTREAMS) is 7: expected a URL, or a mapping'],
    [{ MESHDOH_ROUTES: 'corp=https://a.test/q' }, 'expected a mapping of suffixes to lists of upstreams'],
    [{ MESHDOH_ROUTES: '{"a..b":[]}' }, 'setting "routes.a..b" (MESHDOH_ROUTES) is "a..b": expected a domain name'],
    [{ MESHDOH_ROUTES: '{"corp":["x"]}' }, 'setting "routes.corp[0]" (MESHDOH_ROUTES) is "x": expected the https URL'],
    [{ MESHDOH_ROUTES: '{"corp":[],"Corp.":[]}' }, 'expected each suffix once, whatever its case'],
    [{ MESHDOH_TOMBSTONE: '24' }, 'is "24": expected a duration such as "24h", "30m", "90s" or "500ms"'],
    [{ MESHDOH_TOMBSTONE: '1d' }, 'expected a duration'],
  ])('refuses %j', (environment, message) => {
    const found = messages({ environment });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });

  it('takes numbers, booleans and lists as YAML has them', () => {
    const file = { cacheBytes: 1, view: { vips: false, families: [] }, upstreams: ['https://a.test/q'], routes: {} };
    expect(resolved({ file })).toMatchObject({
      cacheBytes: 1,
      view: { vips: false, families: [] },
      upstreams: [{ url: 'https://a.test/q', bootstrap: [] }],
    });
  });

  it.each<[unknown, string]>([
    [{ listen: 8053 }, 'setting "listen" (settings file) is 8053: expected host:port'],
    [{ queryTimeoutMs: null }, 'setting "queryTimeoutMs" (settings file) is null: expected a whole number'],
    [{ queryTimeoutMs: [700] }, 'is [700]: expected a whole number'],
    [
      { privateZones: { internal: true } },
      'setting "privateZones" (settings file) is {"internal":true}: expected a list',
    ],
    [{ view: null }, 'setting "view" (settings file) is null: expected a mapping'],
    [{ pools: { ipv4: 7 } }, 'setting "pools.ipv4" (settings file) is 7: expected an IPv4 prefix'],
    ['listen', 'settings file is "listen": expected a mapping of settings'],
    [[1], 'settings file is [1]: expected a mapping of settings'],
  ])('refuses the file %j', (file, message) => {
    expect(messages({ file }).join('\n')).toContain(message);
  });
});

describe('the tombstone', () => {
  const bound = 2 * (5000 + 3 * 3_600_000);

  it('is refused below twice the sum of the stale limits and the largest TTL', () => {
    expect(resolved({ file: { tombstone: `${bound}ms` } }).tombstoneMs).toBe(bound);
    expect(messages({ file: { tombstone: `${bound - 1}ms` }, fileName: 'meshdoh.yaml' })).toEqual([
      'setting "tombstone" (meshdoh.yaml) is "21609999ms": expected at least "21610s", twice the sum of ' +
        "registryCacheMs (5s), staleMaxMs (1h), the shim's stale limit (1h), the largest TTL (1h)",
    ]);
  });

  it('is refused above ten years', () => {
    expect(resolved({ file: { tombstone: '87600h' } }).tombstoneMs).toBe(315_360_000_000);
    expect(messages({ file: { tombstone: '87601h' }, fileName: 'meshdoh.yaml' })).toEqual([
      'setting "tombstone" (meshdoh.yaml) is "87601h": expected at most "87600h"',
    ]);
  });

  it('is refused as the default where another setting makes it too short', () => {
    const [message, ...others] = messages({ environment: { MESHDOH_TTL_VIP: '86400' } });
    expect(message).toContain('setting "tombstone" (default) is "24h": expected at least "187210s"');
    expect(others).toEqual([]);
  });

  it('is not judged against a value that could not be read', () => {
    expect(messages({ environment: { MESHDOH_TOMBSTONE: '1s', MESHDOH_STALE_MAX_MS: 'x' } })).toEqual([
      expect.stringContaining('"staleMaxMs"'),
    ]);
  });
});

describe('what is unknown', () => {
  it.each<[Partial<SettingSources>, string]>([
    [
      { file: { upstreamTimeout: 1 }, fileName: 'meshdoh.yaml' },
      'setting "upstreamTimeout" (meshdoh.yaml) is unknown: did you mean "upstreamTimeoutMs"?',
    ],
    [{ file: { TTL: { vip: 1 } } }, 'setting "TTL" (settings file) is unknown: did you mean "ttl"?'],
    [{ file: { ttl: { vips: 1 } } }, 'setting "ttl.vips" (settings file) is unknown: did you mean "ttl.vip"?'],
    [
      { file: { zzzzzzzzzzzz: 1 } },
      'setting "zzzzzzzzzzzz" (settings file) is unknown: known are view, pools, ttl, listen',
    ],
    [{ flags: { view: { nam: 'x' } } }, 'setting "view.nam" (--view) is unknown'],
    [
      { environment: { MESHDOH_QUERY_TIMEOUT: '1' } },
      'variable MESHDOH_QUERY_TIMEOUT is unknown: did you mean MESHDOH_QUERY_TIMEOUT_MS?',
    ],
    [{ environment: { MESHDOH_SERVR: 'x' } }, 'variable MESHDOH_SERVR is unknown: did you mean MESHDOH_SERVER?'],
  ])('%j is refused with the nearest name', (sources, message) => {
    expect(messages(sources)).toEqual([expect.stringContaining(message)]);
  });

  it('does not show the value of an unknown variable, which may be a secret', () => {
    expect(messages({ environment: { MESHDOH_ADMIN_TOKEN: 'hunter2' } }).join()).not.toContain('hunter2');
  });

  it.each(['__proto__', 'constructor', 'toString', 'x'.repeat(100_000)])(
    'includes what every object has (%.20s)',
    (key) => {
      const file = JSON.parse(`{${JSON.stringify(key)}: {"vip": 1}}`);
      expect(messages({ file })).toHaveLength(1);
    },
  );
});

describe('errors', () => {
  it('come all at once, from every source', () => {
    const result = resolveSettings({
      file: { listen: 'x', cashBytes: 1, upstreams: ['a', 'b'] },
      fileName: 'meshdoh.yaml',
      environment: { MESHDOH_TTL_VIP: '0', MESHDOH_NO_SUCH_THING: '1' },
      flags: { registryCacheMs: '-5' },
    });
    expect(result.ok ? [] : result.errors.map(({ setting, origin, value }) => [setting, origin, value])).toEqual([
      ['cashBytes', 'meshdoh.yaml', undefined],
      ['MESHDOH_NO_SUCH_THING', 'MESHDOH_NO_SUCH_THING', undefined],
      ['listen', 'meshdoh.yaml', 'x'],
      ['upstreams[0]', 'meshdoh.yaml', 'a'],
      ['upstreams[1]', 'meshdoh.yaml', 'b'],
      ['ttl.vip', 'MESHDOH_TTL_VIP', '0'],
      ['registryCacheMs', '--registry-cache-ms', '-5'],
    ]);
  });

  it('are not raised by a value that a later source replaces', () => {
    expect(messages({ file: { listen: 'x' }, environment: { MESHDOH_LISTEN: ':0' } })).toEqual([]);
  });

  it('are values, whatever a file or variable says', () => {
    const keys = ['listen', 'store', 'view', 'pools', 'tombstone', 'ttl', 'privateZones', 'upstreams', 'routes'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), fc.string(), (file, text) => {
        const environment = Object.fromEntries(['MESHDOH_ROUTES', 'MESHDOH_VIEW'].map((name) => [name, text]));
        for (const { message } of errorsOf(file, environment)) expect(message).toMatch(/^\S.*\S$/);
      }),
    );
  });
});

function errorsOf(file: unknown, environment: Record<string, string>) {
  const result = resolveSettings({ file, environment });
  return result.ok ? [] : result.errors;
}

describe('a settings file', () => {
  it('is YAML', () => {
    const text = 'listen: :0\nttl: { vip: 60 }\nview:\n  vips: proxy\nprivateZones: []\n';
    expect(parseSettingsFile(text, 'meshdoh.yaml')).toEqual({
      ok: true,
      file: { listen: ':0', ttl: { vip: 60 }, view: { vips: 'proxy' }, privateZones: [] },
    });
  });

  it('may be empty', () => {
    expect(parseSettingsFile('# nothing\n', 'meshdoh.yaml')).toEqual({ ok: true, file: null });
  });

  it.each([
    ['a: [', /^meshdoh\.yaml is not YAML: .*line 1/],
    ['a: 1\na: 2\n', /^meshdoh\.yaml is not YAML: .*unique.*line 2/],
    [
      `a: &a [x]\n${[...'bcdefghi'].map((k, i) => `${k}: &${k} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]\n`).join('')}`,
      /alias/i,
    ],
  ])('is refused with its name and the place (%j)', (text, message) => {
    const result = parseSettingsFile(text, 'meshdoh.yaml');
    expect(result.ok ? [] : result.errors.map((error) => error.message)).toEqual([expect.stringMatching(message)]);
  });

  it('is what YAML is needed for, and nothing else', () => {
    const files = [
      '../src/settings.ts',
      ...['sources', 'keys', 'reading', 'rules', 'upstream'].map((f) => `../src/settings/${f}.ts`),
    ];
    for (const file of files) {
      expect(readFileSync(new URL(file, import.meta.url), 'utf8')).not.toMatch(/from '(yaml|zod|.*settings-file\.ts)'/);
    }
  });
});
