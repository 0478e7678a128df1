import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../src/serviceentry/field-error.ts';
import { validateServiceEntry } from '../../src/serviceentry/validate.ts';
import { manifestOf } from './entry.ts';

function errorsOf(input: unknown): FieldError[] {
  const result = validateServiceEntry(input);
  return result.ok ? [] : result.errors;
}

const pathsOf = (input: unknown): string[] => errorsOf(input).map(({ path }) => path);

function entryOf(input: unknown) {
  const result = validateServiceEntry(input);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.entry;
}

describe('identity', () => {
  it.each(['v1', 'v1beta1', 'v1alpha3'])('takes networking.istio.io/%s and keeps it', (version) => {
    const apiVersion = `networking.istio.io/${version}`;
    expect(entryOf({ ...manifestOf(), apiVersion }).apiVersion).toBe(apiVersion);
  });

  it('tells an object of another kind only that it is one', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [] } };
    expect(pathsOf(pod)).toEqual(['apiVersion', 'kind']);
  });

  it('tells an unknown version of the kind everything else too', () => {
    expect(pathsOf({ ...manifestOf({ hosts: [''] }), apiVersion: 'networking.istio.io/v2' })).toEqual([
      'apiVersion',
      'spec.hosts[0]',
    ]);
  });

  it.each([null, undefined, 'text', 5, [], [manifestOf()]])('rejects %j, which is no object', (input) => {
    expect(errorsOf(input)).toEqual([
      { path: '', reason: expect.stringMatching(/Type|Required/), message: expect.stringContaining('an object') },
    ]);
  });

  it('asks for metadata and spec', () => {
    expect(pathsOf({ apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry' })).toEqual(['metadata', 'spec']);
  });
});

describe('what comes in', () => {
  it('drops status, managedFields and what is no field of ObjectMeta', () => {
    const exported = {
      ...manifestOf({}, { managedFields: [{ manager: 'kubectl' }], clusterName: 'x', uid: 'u', generation: 3 }),
      status: { addresses: [{ value: '240.240.0.1', host: 'api.example.com' }] },
    };
    expect(entryOf(exported)).toEqual(manifestOf({}, { uid: 'u', generation: 3 }));
  });

  it('keeps all of ObjectMeta', () => {
    const metadata = {
      generateName: 'e-',
      selfLink: '/x',
      uid: '6b1f',
      resourceVersion: '12',
      generation: 2,
      creationTimestamp: '2026-01-02T03:04:05Z',
      deletionTimestamp: '2026-01-02T03:04:05.123456+02:00',
      deletionGracePeriodSeconds: 30,
      labels: { app: 'x' },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"a": 1}\n' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u', controller: true }],
      finalizers: ['example.com/f'],
    };
    expect(entryOf(manifestOf({}, metadata)).metadata).toEqual({ name: 'external', namespace: 'shop', ...metadata });
  });

  it('reads a null field of metadata as an absent one', () => {
    const metadata = { creationTimestamp: null, labels: null, namespace: null };
    expect(entryOf(manifestOf({}, metadata)).metadata).toEqual({ name: 'external', namespace: 'default' });
  });

  it.each([undefined, '', null])('gives an entry with namespace %j that of the caller', (namespace) => {
    const result = validateServiceEntry(manifestOf({}, { namespace }), { defaultNamespace: 'edge' });
    expect(result).toMatchObject({ ok: true, entry: { metadata: { namespace: 'edge' } } });
  });

  it('keeps the namespace that the entry names', () => {
    const result = validateServiceEntry(manifestOf(), { defaultNamespace: 'edge' });
    expect(result).toMatchObject({ ok: true, entry: { metadata: { namespace: 'shop' } } });
  });

  it('does not change its input', () => {
    const input = { ...manifestOf({ ports: [null, { name: 5 }] }, { labels: { a: 1 } }), status: {} };
    const copy = structuredClone(input);
    validateServiceEntry(input);
    expect(input).toEqual(copy);
  });
});

describe('unknown fields', () => {
  it.each([
    ['specs', { ...manifestOf(), specs: 1 }],
    ['spec.host', manifestOf({ host: 'a' })],
    ['spec.ports[0].targetport', manifestOf({ ports: [{ name: 'p', number: 1, targetport: 2 }] })],
    ['spec.endpoints[0].adress', manifestOf({ endpoints: [{ address: 'a.example', adress: 'b' }] })],
    ['spec.workloadSelector.matchLabels', manifestOf({ resolution: 'STATIC', workloadSelector: { matchLabels: {} } })],
  ])('rejects %s by name', (path, input) => {
    const name = path.split('.').at(-1);
    expect(errorsOf(input)).toEqual([{ path, reason: 'FieldValueInvalid', message: `unknown field "${name}"` }]);
  });
});

describe('metadata, as Kubernetes checks it', () => {
  const long = (characters: number) => 'a'.repeat(characters);

  it.each([
    ['metadata.name', { name: undefined }],
    ['metadata.name', { name: '' }],
    ['metadata.name', { name: 'Upper' }],
    ['metadata.name', { name: 'a_b' }],
    ['metadata.name', { name: 'a..b' }],
    ['metadata.name', { name: '-a' }],
    ['metadata.name', { name: long(254) }],
    ['metadata.namespace', { namespace: 'a.b' }],
    ['metadata.namespace', { namespace: 'Shop' }],
    ['metadata.namespace', { namespace: long(64) }],
    ['metadata.labels', { labels: { 'a b': '' } }],
    ['metadata.labels', { labels: { 'Example.com/a': '' } }],
    ['metadata.labels', { labels: { [long(64)]: '' } }],
    ['metadata.labels[example.com/app]', { labels: { 'example.com/app': 'a b' } }],
    ['metadata.labels[app]', { labels: { app: long(64) } }],
    ['metadata.annotations', { annotations: { 'a/b/c': '' } }],
    ['metadata.annotations', { annotations: { a: long(256 * 1024) } }],
    ['metadata.resourceVersion', { resourceVersion: 12 }],
    ['metadata.creationTimestamp', { creationTimestamp: 'yesterday' }],
    ['metadata.ownerReferences[0].uid', { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] }],
  ])('rejects a wrong %s (case %#)', (path, metadata) => {
    expect(pathsOf(manifestOf({}, metadata))).toEqual([path]);
  });

  it.each([
    { name: long(253), namespace: long(63) },
    { name: '0.a-b.c' },
    { labels: { 'example.com/App_1.x': '', [long(63)]: long(63) } },
    { annotations: { 'Example.com/a': 'anything at all ☃', a: long(256 * 1024 - 100) } },
  ])('accepts %j', (metadata) => {
    expect(pathsOf(manifestOf({}, metadata))).toEqual([]);
  });

  it('advises quotes where YAML made a boolean of a label', () => {
    const labels = { 'networking.istio.io/enable-autoallocate-ip': false };
    expect(errorsOf(manifestOf({}, { labels }))).toEqual([
      {
        path: 'metadata.labels[networking.istio.io/enable-autoallocate-ip]',
        reason: 'FieldValueTypeInvalid',
        message: 'Invalid value: false: must be a string (quote it: "false")',
      },
    ]);
  });

  it.each(['1', '30', '3600'])('accepts meshdoh.dev/ttl: "%s"', (ttl) => {
    expect(pathsOf(manifestOf({}, { annotations: { 'meshdoh.dev/ttl': ttl } }))).toEqual([]);
  });

  it.each(['', '0', '3601', '-1', '1.5', '30s', '030', ' 30', '1e3'])('rejects meshdoh.dev/ttl: "%s"', (ttl) => {
    expect(pathsOf(manifestOf({}, { annotations: { 'meshdoh.dev/ttl': ttl } }))).toEqual([
      'metadata.annotations[meshdoh.dev/ttl]',
    ]);
  });
});

describe('all that is wrong with an entry', () => {
  it('is named at once, with its path', () => {
    const input = {
      apiVersion: 'networking.istio.io/v2',
      kind: 'ServiceEntry',
      metadata: { name: 'A_', labels: { a: true, 'b c': '' }, annotations: { 'meshdoh.dev/ttl': '0' } },
      spec: {
        hosts: ['a.example', 5, 'x_y'],
        ports: [{ number: 0 }, { name: 'a', number: 80, protocol: 'x' }, null, { name: 'a', number: 80, porst: 1 }],
        resolution: 'STATIC',
        endpoints: [{ address: 'name.example' }, { address: '192.0.2.1', weight: 'heavy' }],
        exportTo: ['.', 'default'],
      },
      extra: 1,
    };
    expect(pathsOf(input).sort()).toEqual(
      [
        ...['apiVersion', 'extra', 'metadata.name', 'metadata.labels', 'metadata.labels[a]'],
        ...['metadata.annotations[meshdoh.dev/ttl]', 'spec.hosts[1]', 'spec.hosts[2]', 'spec.ports[0].name'],
        // Several hosts need traffic that names its host: said of each port of a readable shape.
        ...['spec.ports[0].protocol', 'spec.ports[1].protocol', 'spec.ports[1].protocol', 'spec.ports[3].protocol'],
        ...['spec.ports[0].number', 'spec.ports[2]', 'spec.ports[3].name', 'spec.ports[3].number'],
        ...['spec.ports[3].porst', 'spec.endpoints[0].address', 'spec.endpoints[1].weight', 'spec.exportTo[1]'],
      ].sort(),
    );
  });

  it.each([
    ['spec.resolution', { resolution: 'static', endpoints: [{ address: '192.0.2.1' }], addresses: ['192.0.2.0/24'] }],
    ['spec.endpoints', { hosts: ['*.example.com'], endpoints: 'none' }],
    [
      'spec.ports[0]',
      { resolution: 'STATIC', ports: [null], endpoints: [{ address: '192.0.2.1', ports: { http: 80 } }] },
    ],
    ['spec.ports[0].protocol', { hosts: ['a.example', 'b.example'], ports: [{ name: 'a', number: 1, protocol: 6 }] }],
    ['spec.endpoints[0].address', { endpoints: [{ address: 5 }] }],
    ['spec.ports[0].name', { ports: [{ name: 'a'.repeat(300), number: 1 }] }],
    ['spec.hosts[0]', { hosts: ['*.example_com'] }],
    ['spec', 'text'],
  ])('does not include what only follows from a wrong %s', (path, spec) => {
    const input = typeof spec === 'string' ? { ...manifestOf(), spec } : manifestOf(spec);
    expect(pathsOf(input)).toEqual([path]);
  });

  it('is cut off, with a count, when it is endless', () => {
    const errors = errorsOf(manifestOf({ exportTo: Array.from({ length: 10_000 }, () => '!') }));
    expect(errors.length).toBe(201);
    expect(errors.at(-1)).toEqual({ path: '', reason: 'FieldValueTooMany', message: 'and 19799 more errors' });
  });

  it('shows a long value only in part', () => {
    const [error] = errorsOf(manifestOf({ hosts: ['x_'.repeat(100)] }));
    expect(error?.message.length).toBeLessThan(400);
  });
});

describe('warnings of what DNS makes of a host', () => {
  const warningsOf = (spec: Record<string, unknown>, metadata = {}) => {
    const result = validateServiceEntry(manifestOf(spec, metadata));
    return result.ok ? result.warnings : result.errors;
  };
  const optedOut = { labels: { 'networking.istio.io/enable-autoallocate-ip': 'FALSE' } };

  it.each([
    ['a .local host', { hosts: ['printer.local'] }, 'spec.hosts[0]: "printer.local" ends in .local'],
    ['a single label', { hosts: ['a.example', 'db.'] }, 'spec.hosts[1]: "db." is a single label'],
    ['localhost', { hosts: ['api.localhost'] }, 'spec.hosts[0]: "api.localhost" is a special name'],
    ['a wildcard of a special name', { hosts: ['*.invalid'], resolution: 'STATIC' }, '"*.invalid" is a special name'],
    ['resolution NONE without addresses', { resolution: 'NONE' }, 'resolution NONE (the default) allocates none'],
    ['no resolution', { resolution: undefined }, 'resolution NONE (the default) allocates none'],
    ['only a CIDR', { resolution: 'STATIC', addresses: ['192.0.2.0/24'] }, 'spec.addresses rules out a virtual IP'],
    ['only an address with a zone', { resolution: 'STATIC', addresses: ['fe80::1%e'] }, 'no DNS answer can carry it'],
    [
      'a wildcard of STATIC without endpoints',
      { resolution: 'STATIC', hosts: ['*.example.com'] },
      'wildcard hosts get a virtual IP only with resolution DYNAMIC_DNS',
    ],
    [
      'a wildcard of DNS',
      { hosts: ['*.example.com'], endpoints: [{ address: 'a.example' }] },
      'wildcard hosts get a virtual IP only with resolution DYNAMIC_DNS',
    ],
    ['a partial wildcard', { resolution: 'DYNAMIC_DNS', hosts: ['*a.example.com'] }, 'never matches a DNS name'],
    [
      'DYNAMIC_DNS',
      { resolution: 'DYNAMIC_DNS', hosts: ['*.example.com'] },
      'only for clients whose view has "vips: proxy"',
    ],
    [
      'a host that does not fit a DNS message',
      { hosts: [`${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(62)}`] },
      'longer than 255 octets',
    ],
  ])('%s', (_, spec, sentence) => {
    expect(warningsOf(spec)).toContainEqual(expect.stringContaining(sentence));
  });

  it.each([
    ['DNS', {}],
    ['STATIC without endpoints', { resolution: 'STATIC' }],
  ])('an entry of %s that opted out', (_, spec) => {
    expect(warningsOf(spec, optedOut)).toContainEqual(expect.stringContaining('has opted out'));
  });

  it.each([
    ['a host with a VIP', {}, {}],
    ['an address with resolution NONE', { resolution: 'NONE', addresses: ['192.0.2.1/32'] }, {}],
    ['endpoints where the entry opted out', { resolution: 'STATIC', endpoints: [{ address: '192.0.2.1' }] }, optedOut],
    [
      'a wildcard with endpoints',
      { resolution: 'STATIC', hosts: ['*.a.example'], endpoints: [{ address: '::1' }] },
      {},
    ],
    ['a Kubernetes service name', { hosts: ['tcp-echo.external-1.svc.cluster.local'] }, {}],
  ])('none for %s', (_, spec, metadata) => {
    expect(warningsOf(spec, metadata)).toEqual([]);
  });
});

describe('hostile input', () => {
  const value = fc.anything({ maxDepth: 3, withBigInt: true, withDate: true, withMap: true, withNullPrototype: true });
  const field = fc.oneof(value, fc.string(), fc.array(fc.oneof(value, fc.string())));
  const record = (...names: string[]) =>
    fc.record(Object.fromEntries(names.map((name) => [name, field])), { requiredKeys: [] });

  it('never throws, and says why it rejects', () => {
    const item = record('name', 'number', 'protocol', 'targetPort', 'address', 'ports', 'labels', 'weight');
    const spec = fc.record(
      {
        hosts: fc.array(fc.oneof(fc.domain(), fc.string(), value)),
        resolution: fc.constantFrom('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS', 'x', 5),
        ports: fc.array(fc.oneof(item, value)),
        endpoints: fc.array(fc.oneof(item, value)),
        addresses: field,
        exportTo: field,
        workloadSelector: fc.oneof(record('labels'), value),
        location: field,
      },
      { requiredKeys: [] },
    );
    const metadata = record('name', 'namespace', 'labels', 'annotations', 'creationTimestamp', 'ownerReferences');
    fc.assert(
      fc.property(fc.oneof(metadata, value), fc.oneof(spec, value), (some, other) => {
        const result = validateServiceEntry({ ...manifestOf(), metadata: some, spec: other });
        expect(result.ok || result.errors.length > 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('requires the value of a label', () => {
    const input = {
      ...manifestOf(),
      spec: { hosts: ['a.internal'], workloadSelector: { labels: { app: undefined } } },
    };
    const result = validateServiceEntry(input);
    expect(!result.ok && result.errors.map(({ path }) => path)).toContain('spec.workloadSelector.labels[app]');
  });

  it('reads __proto__ as the unknown field that it is', () => {
    const input = JSON.parse(
      JSON.stringify(manifestOf()).replace('"hosts"', '"__proto__":{"resolution":"NONE"},"hosts"'),
    );
    expect(validateServiceEntry(input).ok).toBe(false);
  });
});
