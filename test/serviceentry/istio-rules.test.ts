import { describe, expect, it } from 'vitest';
import { validateServiceEntry } from '../../src/serviceentry/validate.ts';
import { manifestOf } from './entry.ts';

type Spec = Record<string, unknown>;

interface Case {
  readonly rule: number;
  readonly says: string;
  /** An entry that breaks the rule. */
  readonly broken: Spec;
  /** Where, and the sentence (in part) that says so. */
  readonly at: string;
  readonly because: string;
  /** The closest entry that keeps it. */
  readonly kept: Spec;
  readonly metadata?: Record<string, unknown>;
  readonly keptMetadata?: Record<string, unknown>;
}

const http = { name: 'http', number: 80, protocol: 'HTTP' };
const tcp = { name: 'tcp', number: 9000, protocol: 'TCP' };
const label63 = 'a'.repeat(63);
const label64 = 'a'.repeat(64);
const long = (characters: number): string =>
  `${`${label63}.`.repeat(4).slice(0, characters - 4)}.com`.slice(-characters);
const many = <T>(count: number, item: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const mapOf = <T>(count: number, key: (index: number) => string, value: (index: number) => T): Record<string, T> =>
  Object.fromEntries(many(count, (i) => [key(i), value(i)]));
const selecting = (labels: unknown): Spec => ({ resolution: 'STATIC', workloadSelector: { labels } });
const staticTo = (endpoint: unknown, spec: Spec = {}): Spec => ({
  resolution: 'STATIC',
  endpoints: [endpoint],
  ...spec,
});
const dnsTo = (endpoint: unknown, spec: Spec = {}): Spec => ({ resolution: 'DNS', endpoints: [endpoint], ...spec });
const dynamic = (spec: Spec = {}): Spec => ({ resolution: 'DYNAMIC_DNS', hosts: ['*.example.com'], ...spec });

const REJECTED: readonly Case[] = [
  {
    rule: 1,
    says: 'a selector label key is not empty',
    broken: selecting({ '': 'x' }),
    at: 'spec.workloadSelector.labels',
    because: 'must not be empty',
    kept: selecting({ app: 'x' }),
  },
  {
    rule: 2,
    says: 'no wildcard appears in a selector label key',
    broken: selecting({ 'a*': 'x' }),
    at: 'spec.workloadSelector.labels',
    because: 'wildcard',
    kept: selecting({ a: 'x' }),
  },
  {
    rule: 2,
    says: 'no wildcard appears in a selector label value',
    broken: selecting({ app: '*' }),
    at: 'spec.workloadSelector.labels[app]',
    because: 'wildcard',
    kept: selecting({ app: '' }),
  },
  {
    rule: 4,
    says: 'a selector and endpoints exclude each other',
    broken: { ...selecting({ app: 'x' }), endpoints: [{ address: '192.0.2.1' }] },
    at: 'spec.workloadSelector',
    because: 'only one',
    kept: selecting({ app: 'x' }),
  },
  {
    rule: 4,
    says: 'an empty selector excludes endpoints too',
    broken: { resolution: 'STATIC', workloadSelector: {}, endpoints: [{ address: '192.0.2.1' }] },
    at: 'spec.workloadSelector',
    because: 'only one',
    kept: staticTo({ address: '192.0.2.1' }),
  },
  {
    rule: 5,
    says: 'a selector has at most 256 labels',
    broken: selecting(
      mapOf(
        257,
        (i) => `k${i}`,
        () => 'v',
      ),
    ),
    at: 'spec.workloadSelector.labels',
    because: 'at most 256',
    kept: selecting(
      mapOf(
        256,
        (i) => `k${i}`,
        () => 'v',
      ),
    ),
  },
  {
    rule: 5,
    says: 'a selector label value has at most 63 characters',
    broken: selecting({ app: label64 }),
    at: 'spec.workloadSelector.labels[app]',
    because: '63 characters',
    kept: selecting({ app: label63 }),
  },
  {
    rule: 6,
    says: 'there is at least one host',
    broken: { hosts: [] },
    at: 'spec.hosts',
    because: 'at least 1 item',
    kept: { hosts: ['a.example'] },
  },
  {
    rule: 6,
    says: 'there are at most 256 hosts',
    broken: { hosts: many(257, (i) => `h${i}.example`) },
    at: 'spec.hosts',
    because: 'at most 256',
    kept: { hosts: many(256, (i) => `h${i}.example`) },
  },
  {
    rule: 7,
    says: 'the host * is not allowed',
    broken: { hosts: ['*'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: 'full wildcard',
    kept: { hosts: ['*.com'], resolution: 'NONE' },
  },
  {
    rule: 7,
    says: 'the host * is not allowed with a trailing dot either',
    broken: { hosts: ['*.'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: 'full wildcard',
    kept: { hosts: ['*.com.'], resolution: 'NONE' },
  },
  {
    rule: 8,
    says: 'a host is not empty',
    broken: { hosts: ['a.example', ''] },
    at: 'spec.hosts[1]',
    because: 'must not be empty',
    kept: { hosts: ['a.example', 'b'] },
  },
  {
    rule: 8,
    says: 'a host has at most 255 characters',
    broken: { hosts: [long(256)] },
    at: 'spec.hosts[0]',
    because: '255 characters',
    kept: { hosts: [long(255)] },
  },
  {
    rule: 9,
    says: 'the first label has no underscore',
    broken: { hosts: ['_http.example.com'] },
    at: 'spec.hosts[0]',
    because: '"_http"',
    kept: { hosts: ['Http-1.example.com'] },
  },
  {
    rule: 9,
    says: 'the first label has hyphens only inside',
    broken: { hosts: ['*-.example.com'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: '"*-"',
    kept: { hosts: ['*-a.example.com', '*a.example.com', '*.example.com'], resolution: 'NONE' },
  },
  {
    rule: 9,
    says: 'the first label has at most 63 characters',
    broken: { hosts: [`${label64}.example.com`] },
    at: 'spec.hosts[0]',
    because: 'label',
    kept: { hosts: [`${label63}.example.com`] },
  },
  {
    rule: 9,
    says: 'a wildcard stands only in front of the first label',
    broken: { hosts: ['foo*.example.com'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: '"foo*"',
    kept: { hosts: ['*foo.example.com'], resolution: 'NONE' },
  },
  {
    rule: 10,
    says: 'every later label is a DNS-1123 label',
    broken: { hosts: ['a.*.example.com'] },
    at: 'spec.hosts[0]',
    because: '"*"',
    kept: { hosts: ['a.B-1.example.com'] },
  },
  {
    rule: 10,
    says: 'only the last label may be empty',
    broken: { hosts: ['a..example.com'] },
    at: 'spec.hosts[0]',
    because: '""',
    kept: { hosts: ['a.example.com.'] },
  },
  {
    rule: 11,
    says: 'the last label is not all digits',
    broken: { hosts: ['192.0.2.1'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: 'all digits',
    kept: { hosts: ['192.0.2.1a'], resolution: 'NONE' },
  },
  {
    rule: 11,
    says: 'a single label may be all digits, a dotted address may not',
    broken: { hosts: ['1.2.3.4.'], resolution: 'NONE' },
    at: 'spec.hosts[0]',
    because: 'all digits',
    kept: { hosts: ['123'], resolution: 'NONE' },
  },
  ...[
    '192.0.2',
    '010.0.0.1',
    '0x7f.0.0.1',
    '192.0.2.1/33',
    '192.0.2.0/24/1',
    'a.example',
    '',
    '::1%',
    'fe80::1%e/64',
  ].map(
    (address): Case => ({
      rule: 13,
      says: `an address is an IP address or a CIDR, not "${address}"`,
      broken: { resolution: 'STATIC', addresses: ['192.0.2.1', address] },
      at: 'spec.addresses[1]',
      because: 'must be an IP address or a CIDR',
      kept: { resolution: 'STATIC', addresses: ['192.0.2.1', '192.0.2.9/24', '::1', '2001:db8::/32', 'fe80::1%eth0'] },
    }),
  ),
  ...['DNS', 'DNS_ROUND_ROBIN'].map(
    (resolution): Case => ({
      rule: 14,
      says: `a CIDR is not allowed with resolution ${resolution}`,
      broken: { resolution, addresses: ['192.0.2.1', '198.51.100.0/24'] },
      at: 'spec.addresses[1]',
      because: 'NONE or STATIC',
      kept: { resolution: 'STATIC', addresses: ['192.0.2.1', '198.51.100.0/24'] },
    }),
  ),
  {
    rule: 15,
    says: 'there are at most 256 addresses',
    broken: { addresses: many(257, (i) => `10.0.${i >> 8}.${i & 255}`) },
    at: 'spec.addresses',
    because: 'at most 256',
    kept: { addresses: many(256, (i) => `10.0.0.${i}`) },
  },
  {
    rule: 15,
    says: 'an address has at most 64 characters',
    broken: { addresses: [`fe80::1%${'e'.repeat(57)}`] },
    at: 'spec.addresses[0]',
    because: '64 characters',
    kept: { addresses: [`fe80::1%${'e'.repeat(56)}`] },
  },
  {
    rule: 16,
    says: 'a port is not null',
    broken: { ports: [http, null] },
    at: 'spec.ports[1]',
    because: 'must be an object',
    kept: { ports: [http] },
  },
  {
    rule: 17,
    says: 'no two ports have one name',
    broken: { ports: [http, { ...http, number: 81 }] },
    at: 'spec.ports[1].name',
    because: 'Duplicate value: "http"',
    kept: { ports: [http, { ...http, number: 81, name: 'HTTP' }] },
  },
  {
    rule: 18,
    says: 'no two ports have one number',
    broken: { ports: [http, { ...http, name: 'other' }] },
    at: 'spec.ports[1].number',
    because: 'Duplicate value: 80',
    kept: { ports: [http, { ...http, name: 'other', number: 81 }] },
  },
  ...[0, -1, 65_536].map(
    (number): Case => ({
      rule: 19,
      says: `a port number is from 1 to 65535, not ${number}`,
      broken: { ports: [{ ...http, number }] },
      at: 'spec.ports[0].number',
      because: 'from 1 to 65535',
      kept: {
        ports: [
          { ...http, number: 65_535 },
          { ...tcp, number: 1 },
        ],
      },
    }),
  ),
  ...[0, 65_536].map(
    (targetPort): Case => ({
      rule: 20,
      says: `a target port is from 1 to 65535, not ${targetPort}`,
      broken: { ports: [{ ...http, targetPort }] },
      at: 'spec.ports[0].targetPort',
      because: 'from 1 to 65535',
      kept: { ports: [{ ...http, targetPort: 65_535 }] },
    }),
  ),
  {
    rule: 21,
    says: 'a port has a name',
    broken: { ports: [{ number: 80 }] },
    at: 'spec.ports[0].name',
    because: 'Required value',
    kept: { ports: [{ number: 80, name: 'h' }] },
  },
  ...['', 'a_b', 'a.b', '-a', label64].map(
    (name): Case => ({
      rule: 21,
      says: `a port name is a DNS-1123 label, not "${name}"`,
      broken: { ports: [{ ...http, name }] },
      at: 'spec.ports[0].name',
      because: 'DNS-1123 label',
      kept: {
        ports: [
          { ...http, name: label63 },
          { ...tcp, name: 'Web-1' },
        ],
      },
    }),
  ),
  {
    rule: 22,
    says: 'a protocol is empty or one of the twelve, in any case',
    broken: { ports: [{ ...http, protocol: 'SCTP' }] },
    at: 'spec.ports[0].protocol',
    because: 'Unsupported value: "SCTP"',
    kept: {
      ports: [
        'tcp',
        'UDP',
        'Grpc',
        'grpc-web',
        'http',
        'HTTP_PROXY',
        'http2',
        'https',
        'tls',
        'Mongo',
        'REDIS',
        'mysql',
        '',
      ].map((protocol, i) => ({ name: `p${i}`, number: i + 1, protocol })),
    },
  },
  {
    rule: 24,
    says: 'there are at most 256 ports',
    broken: { ports: many(257, (i) => ({ name: `p${i}`, number: i + 1 })) },
    at: 'spec.ports',
    because: 'at most 256',
    kept: { ports: many(256, (i) => ({ name: `p${i}`, number: i + 1 })) },
  },
  {
    rule: 24,
    says: 'a port name has at most 256 characters, and no port at all is needed',
    broken: { ports: [{ ...http, name: 'a'.repeat(257) }] },
    at: 'spec.ports[0].name',
    because: '256 characters',
    kept: { ports: [] },
  },
  ...[undefined, 'NONE'].map(
    (resolution): Case => ({
      rule: 25,
      says: `resolution ${resolution ?? '(absent)'} has no endpoints`,
      broken: { resolution, endpoints: [{ address: '192.0.2.1' }] },
      at: 'spec.endpoints',
      because: 'no endpoints',
      kept: { resolution },
    }),
  ),
  {
    rule: 27,
    says: 'an endpoint is not null',
    broken: staticTo(null),
    at: 'spec.endpoints[0]',
    because: 'must be an object',
    kept: staticTo({ address: '192.0.2.1' }),
  },
  ...[{}, { address: '' }].map(
    (endpoint): Case => ({
      rule: 28,
      says: `a STATIC endpoint has an address or a network, unlike ${JSON.stringify(endpoint)}`,
      broken: staticTo(endpoint),
      at: 'spec.endpoints[0].address',
      because: 'Required value',
      kept: staticTo({ ...endpoint, network: 'vpc-1' }),
    }),
  ),
  {
    rule: 29,
    says: 'a STATIC endpoint address is an IP or unix://, not a name',
    broken: staticTo({ address: 'db.example.com' }),
    at: 'spec.endpoints[0].address',
    because: 'must be an IP address or unix://',
    kept: staticTo({ address: '2001:db8::1' }),
  },
  ...['unix://', 'unix://run/a.sock', 'unix:///run/'].map(
    (address): Case => ({
      rule: 30,
      says: `a unix path is abstract or the absolute path of a file, not "${address}"`,
      broken: staticTo({ address }, { ports: [http] }),
      at: 'spec.endpoints[0].address',
      because: 'unix://@name',
      kept: {
        resolution: 'STATIC',
        ports: [http],
        endpoints: [{ address: 'unix:///run/a.sock' }, { address: 'unix://@a/' }],
      },
    }),
  ),
  {
    rule: 31,
    says: 'a unix endpoint has no ports',
    broken: staticTo({ address: 'unix:///run/a.sock', ports: { http: 80 } }, { ports: [http] }),
    at: 'spec.endpoints[0].ports',
    because: 'has no ports',
    kept: staticTo({ address: '192.0.2.1', ports: { http: 80 } }, { ports: [http] }),
  },
  ...[[], [http, tcp]].map(
    (ports): Case => ({
      rule: 32,
      says: `a unix endpoint needs exactly one port, not ${ports.length}`,
      broken: staticTo({ address: 'unix:///run/a.sock' }, { ports }),
      at: 'spec.endpoints[0].address',
      because: 'exactly one port',
      kept: staticTo({ address: 'unix:///run/a.sock' }, { ports: [tcp] }),
    }),
  ),
  ...[
    { rule: 33, to: staticTo },
    { rule: 39, to: dnsTo },
  ].flatMap(({ rule, to }): Case[] => [
    {
      rule,
      says: 'an endpoint port is one that the entry defines',
      broken: to({ address: '192.0.2.1', ports: { other: 80 } }, { ports: [http] }),
      at: 'spec.endpoints[0].ports[other]',
      because: 'no port of that name',
      kept: to({ address: '192.0.2.1', ports: { http: 8080 } }, { ports: [http] }),
    },
    {
      rule,
      says: 'an endpoint port name is a DNS-1123 label',
      broken: to({ address: '192.0.2.1', ports: { 'a.b': 80 } }, { ports: [http] }),
      at: 'spec.endpoints[0].ports[a.b]',
      because: 'DNS-1123 label',
      kept: to({ address: '192.0.2.1', ports: { http: 65_535 } }, { ports: [http] }),
    },
    {
      rule,
      says: 'an endpoint port number is from 1 to 65535',
      broken: to({ address: '192.0.2.1', ports: { http: 65_536 } }, { ports: [http] }),
      at: 'spec.endpoints[0].ports[http]',
      because: 'from 1 to 65535',
      kept: to({ address: '192.0.2.1', ports: { http: 1 } }, { ports: [http] }),
    },
  ]),
  ...[
    { rule: 34, to: staticTo },
    { rule: 39, to: dnsTo },
  ].flatMap(({ rule, to }): Case[] => [
    ...['', 'a/b/c', '-a', label64, '/a', `${'a'.repeat(254)}/b`].map(
      (key): Case => ({
        rule,
        says: `an endpoint label key has Kubernetes syntax, unlike "${key.slice(0, 20)}"`,
        broken: to({ address: '192.0.2.1', labels: { [key]: 'v' } }),
        at: 'spec.endpoints[0].labels',
        because: 'Invalid value',
        kept: to({ address: '192.0.2.1', labels: { 'Example.com/App_1.x': 'v', [label63]: '' } }),
      }),
    ),
    ...['a b', label64, '-'].map(
      (value): Case => ({
        rule,
        says: `an endpoint label value has Kubernetes syntax, unlike "${value.slice(0, 20)}"`,
        broken: to({ address: '192.0.2.1', labels: { app: value } }),
        at: 'spec.endpoints[0].labels[app]',
        because: 'label value',
        kept: to({ address: '192.0.2.1', labels: { app: label63 } }),
      }),
    ),
  ]),
  ...['DNS', 'DNS_ROUND_ROBIN'].map(
    (resolution): Case => ({
      rule: 36,
      says: `with resolution ${resolution} a wildcard host needs endpoints`,
      broken: { resolution, hosts: ['a.example', '*.example.com'], ports: [http] },
      at: 'spec.hosts[1]',
      because: 'fully qualified name',
      kept: { resolution, hosts: ['a.example', '*.example.com'], ports: [http], endpoints: [{ address: 'b.example' }] },
    }),
  ),
  {
    rule: 36,
    says: 'a selector does not stand for endpoints, and a number is no fully qualified name',
    broken: { resolution: 'DNS', hosts: ['123'], workloadSelector: { labels: { app: 'x' } } },
    at: 'spec.hosts[0]',
    because: 'fully qualified name',
    kept: { resolution: 'DNS', hosts: ['one'], workloadSelector: { labels: { app: 'x' } } },
  },
  {
    rule: 37,
    says: 'DNS_ROUND_ROBIN has at most one endpoint',
    broken: { resolution: 'DNS_ROUND_ROBIN', endpoints: [{ address: 'a.example' }, { address: 'b.example' }] },
    at: 'spec.endpoints',
    because: 'at most 1',
    kept: { resolution: 'DNS', endpoints: [{ address: 'a.example' }, { address: 'b.example' }] },
  },
  {
    rule: 38,
    says: 'a DNS endpoint is not null',
    broken: dnsTo(null),
    at: 'spec.endpoints[0]',
    because: 'must be an object',
    kept: dnsTo({ address: 'a.example' }),
  },
  ...['', 'unix:///run/a.sock', '*.example.com', '192.0.2.1/32', '1.2.3', 'a_b.example'].map(
    (address): Case => ({
      rule: 38,
      says: `a DNS endpoint address is an IP or a fully qualified name, not "${address}"`,
      broken: dnsTo({ address }, { ports: [http] }),
      at: 'spec.endpoints[0].address',
      because: address === '' ? 'Required value' : 'fully qualified name',
      kept: { endpoints: [{ address: '192.0.2.1' }, { address: 'db.example.com.' }, { address: '::1' }] },
    }),
  ),
  {
    rule: 41,
    says: 'DYNAMIC_DNS needs a host',
    broken: dynamic({ hosts: [] }),
    at: 'spec.hosts',
    because: 'Required value',
    kept: dynamic(),
  },
  {
    rule: 41,
    says: 'DYNAMIC_DNS needs wildcard hosts',
    broken: dynamic({ hosts: ['*.example.com', 'a.example.com'] }),
    at: 'spec.hosts[1]',
    because: 'must be a wildcard',
    kept: dynamic({ hosts: ['*.example.com', '*-a.example.com'] }),
  },
  {
    rule: 42,
    says: 'DYNAMIC_DNS has no addresses',
    broken: dynamic({ addresses: ['192.0.2.1'] }),
    at: 'spec.addresses',
    because: 'DYNAMIC_DNS',
    kept: dynamic({ addresses: [] }),
  },
  {
    rule: 43,
    says: 'DYNAMIC_DNS has no endpoints',
    broken: dynamic({ endpoints: [{ address: '192.0.2.1' }] }),
    at: 'spec.endpoints',
    because: 'DYNAMIC_DNS',
    kept: dynamic(),
  },
  ...['HTTPS', 'TCP', 'GRPC-WEB', '', undefined].map(
    (protocol): Case => ({
      rule: 44,
      says: `DYNAMIC_DNS has ports of HTTP, TLS, GRPC or HTTP2, not ${protocol || '(empty)'}`,
      broken: dynamic({
        ports: [protocol === undefined ? { name: 'p', number: 1 } : { name: 'p', number: 1, protocol }],
      }),
      at: 'spec.ports[0].protocol',
      because: protocol ? 'supported values: "HTTP", "HTTP2", "GRPC", "TLS"' : 'Required value',
      kept: dynamic({
        ports: ['HTTP', 'tls', 'Grpc', 'http2'].map((known, i) => ({ name: `p${i}`, number: i + 1, protocol: known })),
      }),
    }),
  ),
  {
    rule: 45,
    says: 'a location is MESH_EXTERNAL or MESH_INTERNAL',
    broken: dynamic({ location: 'MESH_MIDDLE' }),
    at: 'spec.location',
    because: 'Unsupported value: "MESH_MIDDLE"',
    kept: dynamic({ location: 'MESH_EXTERNAL' }),
  },
  {
    rule: 46,
    says: 'DYNAMIC_DNS inside the mesh has no waypoint',
    broken: dynamic({ location: 'MESH_INTERNAL' }),
    metadata: { labels: { 'istio.io/use-waypoint': 'egress' } },
    at: 'spec.location',
    because: 'istio.io/use-waypoint',
    kept: dynamic({ location: 'MESH_INTERNAL' }),
    keptMetadata: { labels: { 'istio.io/use-waypoint': 'none' } },
  },
  {
    rule: 46,
    says: 'a waypoint is allowed outside the mesh',
    broken: dynamic({ location: 'MESH_INTERNAL' }),
    metadata: { labels: { 'istio.io/use-waypoint': 'egress' } },
    at: 'spec.location',
    because: 'MESH_INTERNAL',
    kept: dynamic({ location: 'MESH_EXTERNAL' }),
    keptMetadata: { labels: { 'istio.io/use-waypoint': 'egress' } },
  },
  {
    rule: 47,
    says: 'a resolution is one of the five, in upper case',
    broken: { resolution: 'dns' },
    at: 'spec.resolution',
    because: 'Unsupported value: "dns"',
    kept: { resolution: 'DNS' },
  },
  ...['TCP', 'UDP', 'MONGO', '', undefined].map(
    (protocol): Case => ({
      rule: 48,
      says: `several hosts allow no port of protocol ${protocol || '(empty)'}`,
      broken: {
        hosts: ['a.example', 'b.example'],
        ports: [http, protocol === undefined ? { name: 'p', number: 1 } : { name: 'p', number: 1, protocol }],
      },
      at: 'spec.ports[1].protocol',
      because: 'several hosts',
      kept: {
        hosts: ['a.example', 'b.example'],
        ports: ['http', 'HTTP2', 'http_proxy', 'grpc', 'GRPC-Web', 'https', 'TLS'].map((known, i) => ({
          name: `p${i}`,
          number: i + 1,
          protocol: known,
        })),
      },
    }),
  ),
  {
    rule: 48,
    says: 'several hosts allow any port with resolution NONE',
    broken: { hosts: ['a.example', 'b.example'], ports: [tcp], resolution: 'STATIC' },
    at: 'spec.ports[0].protocol',
    because: 'several hosts',
    kept: { hosts: ['a.example', 'b.example'], ports: [tcp], resolution: undefined },
  },
  {
    rule: 49,
    says: 'exportTo has no duplicates',
    broken: { exportTo: ['a', 'b', 'a'] },
    at: 'spec.exportTo[2]',
    because: 'Duplicate value: "a"',
    kept: { exportTo: ['a', 'b'] },
  },
  {
    rule: 49,
    says: '. is the namespace of the entry',
    broken: { exportTo: ['shop', '.'] },
    at: 'spec.exportTo[1]',
    because: 'Duplicate value: "."',
    kept: { exportTo: ['other', '.'] },
  },
  ...['', 'a.b', '**', 'a_b', label64].map(
    (target): Case => ({
      rule: 50,
      says: `an item of exportTo is ., *, ~ or a namespace, not "${target}"`,
      broken: { exportTo: [target] },
      at: 'spec.exportTo[0]',
      because: 'must be',
      kept: { exportTo: ['~'] },
    }),
  ),
  {
    rule: 51,
    says: '* stands alone in exportTo',
    broken: { exportTo: ['*', '.'] },
    at: 'spec.exportTo',
    because: '"*" allows no other item',
    kept: { exportTo: ['*'] },
  },
  {
    rule: 52,
    says: '~ stands alone in exportTo',
    broken: { exportTo: ['other', '~'] },
    at: 'spec.exportTo',
    because: '"~" allows no other item',
    kept: { exportTo: ['other', '.'] },
  },
  {
    rule: 53,
    says: 'there are at most 4096 endpoints',
    broken: { resolution: 'STATIC', endpoints: many(4097, () => ({ address: '192.0.2.1' })) },
    at: 'spec.endpoints',
    because: 'at most 4096',
    kept: { resolution: 'STATIC', endpoints: many(4096, () => ({ address: '192.0.2.1' })) },
  },
  ...(
    [
      ['locality', 2048],
      ['network', 2048],
      ['serviceAccount', 253],
    ] as const
  ).map(
    ([field, limit]): Case => ({
      rule: 53,
      says: `${field} of an endpoint has at most ${limit} characters`,
      broken: staticTo({ address: '192.0.2.1', [field]: 'a'.repeat(limit + 1) }),
      at: `spec.endpoints[0].${field}`,
      because: `${limit} characters`,
      kept: staticTo({ address: '192.0.2.1', [field]: 'a'.repeat(limit) }),
    }),
  ),
  {
    rule: 53,
    says: 'an endpoint address has at most 256 characters',
    broken: staticTo({ address: `unix:///${'a'.repeat(249)}` }, { ports: [tcp] }),
    at: 'spec.endpoints[0].address',
    because: '256 characters',
    kept: staticTo({ address: `unix:///${'a'.repeat(248)}` }, { ports: [tcp] }),
  },
  {
    rule: 53,
    says: 'an endpoint has at most 128 ports',
    broken: staticTo(
      {
        address: '192.0.2.1',
        ports: mapOf(
          129,
          (i) => `p${i}`,
          (i) => i + 1,
        ),
      },
      { ports: many(129, (i) => ({ name: `p${i}`, number: i + 1 })) },
    ),
    at: 'spec.endpoints[0].ports',
    because: 'at most 128',
    kept: staticTo(
      {
        address: '192.0.2.1',
        ports: mapOf(
          128,
          (i) => `p${i}`,
          (i) => i + 1,
        ),
      },
      { ports: many(128, (i) => ({ name: `p${i}`, number: i + 1 })) },
    ),
  },
  {
    rule: 53,
    says: 'an endpoint port name is shorter than 63 characters',
    broken: staticTo({ address: '192.0.2.1', ports: { [label63]: 1 } }, { ports: [{ ...http, name: label63 }] }),
    at: `spec.endpoints[0].ports[${label63}]`,
    because: '62 characters',
    kept: staticTo(
      { address: '192.0.2.1', ports: { [label63.slice(1)]: 1 } },
      { ports: [{ ...http, name: label63.slice(1) }] },
    ),
  },
  {
    rule: 53,
    says: 'an endpoint has at most 256 labels',
    broken: staticTo({
      address: '192.0.2.1',
      labels: mapOf(
        257,
        (i) => `k${i}`,
        () => 'v',
      ),
    }),
    at: 'spec.endpoints[0].labels',
    because: 'at most 256',
    kept: staticTo({
      address: '192.0.2.1',
      labels: mapOf(
        256,
        (i) => `k${i}`,
        () => 'v',
      ),
    }),
  },
  ...[-1, 4_294_967_296, 1.5].map(
    (weight): Case => ({
      rule: 53,
      says: `a weight is a whole number from 0 to 4294967295, not ${weight}`,
      broken: staticTo({ address: '192.0.2.1', weight }),
      at: 'spec.endpoints[0].weight',
      because: 'must be',
      kept: staticTo({ address: '192.0.2.1', weight: 4_294_967_295 }),
    }),
  ),
  {
    rule: 54,
    says: 'spec.hosts is required',
    broken: { hosts: undefined },
    at: 'spec.hosts',
    because: 'Required value',
    kept: { hosts: ['a.example'] },
  },
  {
    rule: 54,
    says: 'items of subjectAltNames are plain strings',
    broken: { subjectAltNames: [{ exact: 'a' }] },
    at: 'spec.subjectAltNames[0]',
    because: 'must be a string',
    kept: { subjectAltNames: ['spiffe://cluster.local/ns/a/sa/b'] },
  },
];

describe('an entry that breaks a rule is rejected, and its neighbour is not', () => {
  for (const { rule, says, broken, at, because, kept, metadata, keptMetadata } of REJECTED) {
    it(`rule ${rule}: ${says}`, () => {
      const refused = validateServiceEntry(manifestOf(broken, metadata));
      expect(refused.ok).toBe(false);
      if (refused.ok) return;
      expect(refused.errors).toContainEqual({
        path: at,
        reason: expect.stringMatching(/^FieldValue/),
        message: expect.stringContaining(because),
      });
      expect(refused.errors.map(({ path }) => path)).toEqual(refused.errors.map(() => expect.stringContaining(at)));
      expect(validateServiceEntry(manifestOf(kept, keptMetadata ?? metadata))).toMatchObject({ ok: true });
    });
  }
});

interface Warned {
  readonly rule: number;
  readonly says: string;
  readonly doubtful: Spec;
  readonly warning: string;
  readonly clean: Spec;
  readonly metadata?: Record<string, unknown>;
  readonly cleanMetadata?: Record<string, unknown>;
}

const WARNED: readonly Warned[] = [
  {
    rule: 3,
    says: 'a selector without labels matches every workload',
    doubtful: { resolution: 'STATIC', workloadSelector: {} },
    warning: 'spec.workloadSelector: has no labels',
    clean: selecting({ app: 'x' }),
  },
  {
    rule: 12,
    says: 'a partial wildcard is doubtful, unless resolution is DYNAMIC_DNS',
    doubtful: { resolution: 'NONE', hosts: ['*foo.com'] },
    warning: 'spec.hosts[0]: "*foo.com" is a partial wildcard',
    clean: dynamic({ hosts: ['*-a.example.com'] }),
  },
  ...['TCP', ''].map(
    (protocol): Warned => ({
      rule: 23,
      says: `protocol "${protocol}" needs addresses where none are allocated (resolution NONE)`,
      doubtful: { resolution: undefined, ports: [{ ...tcp, protocol }] },
      warning: 'spec.ports[0]: a port with protocol TCP or none needs spec.addresses',
      clean: { resolution: undefined, ports: [{ ...tcp, protocol }], addresses: ['192.0.2.1'] },
    }),
  ),
  {
    rule: 23,
    says: 'TCP needs addresses where the entry opted out',
    doubtful: { ports: [tcp] },
    metadata: { labels: { 'networking.istio.io/enable-autoallocate-ip': 'False' } },
    warning: 'spec.ports[0]: a port with protocol TCP or none needs spec.addresses',
    clean: { ports: [tcp] },
    cleanMetadata: { labels: { 'networking.istio.io/enable-autoallocate-ip': 'true' } },
  },
  {
    rule: 23,
    says: 'only TCP, exactly so written, or none needs addresses',
    doubtful: { resolution: 'NONE', ports: [tcp] },
    warning: 'spec.ports[0]: a port with protocol TCP or none needs spec.addresses',
    clean: { resolution: 'NONE', ports: [http, { ...tcp, protocol: 'tcp' }] },
  },
  {
    rule: 26,
    says: 'a selector should not be set with resolution NONE',
    doubtful: { resolution: undefined, workloadSelector: { labels: { app: 'x' } } },
    warning: 'spec.workloadSelector: should not be set with resolution NONE',
    clean: selecting({ app: 'x' }),
  },
  {
    rule: 28,
    says: 'a STATIC endpoint without address but with network is doubtful',
    doubtful: staticTo({ network: 'vpc-1' }),
    warning: 'spec.endpoints[0].address: is unset, with network "vpc-1"',
    clean: staticTo({ network: 'vpc-1', address: '192.0.2.1' }),
  },
  {
    rule: 40,
    says: 'several hosts should not share an address and a TCP-like port',
    doubtful: { addresses: ['192.0.2.1'], hosts: ['a.example', 'b.example'], ports: [{ ...http, protocol: 'https' }] },
    warning: 'spec.hosts: several hosts share spec.addresses and a TCP port',
    clean: { addresses: ['192.0.2.1'], hosts: ['a.example', 'b.example'], ports: [http] },
  },
  {
    rule: 40,
    says: 'one host may have an address and a TCP-like port',
    doubtful: { addresses: ['192.0.2.1'], hosts: ['a.example', 'b.example'], ports: [{ ...http, protocol: 'TLS' }] },
    warning: 'spec.hosts: several hosts share spec.addresses and a TCP port',
    clean: { addresses: ['192.0.2.1'], hosts: ['a.example'], ports: [tcp] },
  },
  {
    rule: 55,
    says: 'addresses are missed only where rule 23 misses them',
    doubtful: { resolution: 'NONE', ports: [{ name: 'p', number: 1 }] },
    warning: 'needs spec.addresses',
    clean: { resolution: 'DNS', ports: [{ name: 'p', number: 1 }] },
  },
];

describe('a doubtful entry is accepted with a warning', () => {
  for (const { rule, says, doubtful, warning, clean, metadata, cleanMetadata } of WARNED) {
    it(`rule ${rule}: ${says}`, () => {
      const warned = validateServiceEntry(manifestOf(doubtful, metadata));
      expect(warned).toMatchObject({ ok: true });
      expect(warned.ok && warned.warnings).toContainEqual(expect.stringContaining(warning));
      const accepted = validateServiceEntry(manifestOf(clean, cleanMetadata ?? metadata));
      expect(accepted).toMatchObject({ ok: true });
      expect(accepted.ok && accepted.warnings).not.toContainEqual(expect.stringContaining(warning));
    });
  }
});

describe('what Istio accepts without a word', () => {
  it.each<[number, string, Spec]>([
    [35, 'STATIC with neither endpoints nor a selector', { resolution: 'STATIC', endpoints: undefined }],
    [
      13,
      'host bits below the mask of a CIDR',
      { resolution: 'STATIC', addresses: ['192.0.2.9/24'], endpoints: [{ address: '192.0.2.1' }] },
    ],
    [56, 'one entry alone cannot clash over a protocol: that takes the registry', { ports: [http, tcp] }],
  ])('rule %i: %s', (_rule, _says, spec) => {
    expect(validateServiceEntry(manifestOf(spec))).toMatchObject({ ok: true, warnings: [] });
  });

  it('has a case here for every rule', () => {
    const tested = new Set([...REJECTED, ...WARNED].map(({ rule }) => rule));
    const missing = Array.from({ length: 56 }, (_, i) => i + 1).filter((rule) => !tested.has(rule));
    expect(missing).toEqual([35, 56]);
  });
});
