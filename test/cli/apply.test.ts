import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { applyCommand } from '../../src/cli/apply.ts';
import { deadline } from '../support/registry.ts';
import { type Ran, runVerb, type Surroundings, temporaryFolder } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
});
afterAll(() => server.close());

const apply = (words: readonly string[], surroundings: Surroundings = {}): Promise<Ran> =>
  runVerb(applyCommand, words, { environment: { MESHDOH_SERVER: server.url }, ...surroundings });

const applyText = (stdin: string, ...words: readonly string[]): Promise<Ran> => apply(['-f', '-', ...words], { stdin });

interface Overrides {
  readonly namespace?: string;
  readonly host?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly extra?: string;
}

const manifest = (name: string, overrides: Overrides = {}): string => {
  const { namespace, host = `${name}.internal`, port = 80, protocol = 'HTTP', extra = '' } = overrides;
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: ${name}
${namespace === undefined ? '' : `  namespace: ${namespace}\n`}spec:
  hosts: [${host}]
  resolution: DNS
  ports: [{ name: http, number: ${port}, protocol: ${protocol} }]
${extra}`;
};

const stored = (name: string, namespace = 'default') => server.registry.entries.get(namespace, name, deadline());

describe('apply', () => {
  it('says created, unchanged and configured, as the server found it', async () => {
    const said = async (text: string) => (await applyText(text)).stdout;
    expect(await said(manifest('words'))).toBe('serviceentry.networking.istio.io/words created\n');
    expect(await said(manifest('words'))).toBe('serviceentry.networking.istio.io/words unchanged\n');
    expect(await said(manifest('words', { port: 81 }))).toBe('serviceentry.networking.istio.io/words configured\n');
  });

  it('takes an export of kubectl: a list, with status and managed fields', async () => {
    const item = (name: string) => ({
      apiVersion: 'networking.istio.io/v1beta1',
      kind: 'ServiceEntry',
      metadata: { name, namespace: 'exported', managedFields: [{ manager: 'kubectl' }], creationTimestamp: null },
      spec: { hosts: [`${name}.internal`], resolution: 'DNS', ports: [{ name: 'http', number: 80 }] },
      status: { addresses: [{ value: '240.240.0.1', host: `${name}.internal` }] },
    });
    const list = { apiVersion: 'v1', kind: 'List', items: [item('list-a'), item('list-b')] };
    expect(await applyText(JSON.stringify(list))).toEqual({
      stdout: 'serviceentry.networking.istio.io/list-a created\nserviceentry.networking.istio.io/list-b created\n',
      stderr: '',
      exitCode: 0,
    });
    expect(await stored('list-a', 'exported')).toBeDefined();
  });

  it('applies the others when some are bad, names document and cause of each, and exits 1', async () => {
    const documents = [
      manifest('good-1'),
      manifest('bad-port', { port: 70_000 }),
      'apiVersion: v1\nkind: Service\nmetadata: { name: svc }\n',
      manifest('bad-twice', { port: 0, host: '"*"' }),
      'just: [unclosed\n',
      'a text\n',
      manifest('good-2'),
    ];
    const { stdout, stderr, exitCode } = await applyText(documents.join('---\n'));
    expect(stdout).toBe(
      'serviceentry.networking.istio.io/good-1 created\nserviceentry.networking.istio.io/good-2 created\n',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^Error from server \(Invalid\): error when applying "STDIN" \(document 2\): ServiceEntry\.networking\.istio\.io "bad-port" is invalid: spec\.ports\[0\]\.number: .*70000.*$/m,
    );
    expect(stderr).toMatch(
      /^error: cannot apply "STDIN" \(document 3\): no matches for kind "Service" in version "v1": meshdoh takes ServiceEntry in networking\.istio\.io\/v1, /m,
    );
    expect(stderr).toMatch(
      /^Error from server \(Invalid\): error when applying "STDIN" \(document 4\): ServiceEntry\.networking\.istio\.io "bad-twice" is invalid:\n(\* spec\.\S+: .*\n){2,}/m,
    );
    expect(stderr).toMatch(/^error: error parsing STDIN:\d+:\d+: /m);
    expect(stderr).toMatch(/^error: cannot apply "STDIN" \(document 5\): it is not an object/m);
  });

  it.each<[string, string, string]>([
    ['kind', 'apiVersion: networking.istio.io/v1', 'kind is not set'],
    ['version', 'kind: ServiceEntry', 'apiVersion is not set'],
    ['name', 'apiVersion: networking.istio.io/v1\nkind: ServiceEntry', 'metadata.name is not set'],
    [
      'known version',
      'apiVersion: networking.istio.io/v2\nkind: ServiceEntry',
      'no matches for kind "ServiceEntry" in version "networking.istio.io/v2"',
    ],
    [
      'name that stays in its path',
      'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: .. }',
      'invalid name "..": may not be ".."',
    ],
  ])('refuses an object without a %s', async (_, text, problem) => {
    const { stderr, exitCode } = await applyText(text);
    expect(stderr).toContain(`error: cannot apply "STDIN" (document 1): ${problem}`);
    expect(exitCode).toBe(1);
  });

  it('puts objects without a namespace into that of -n', async () => {
    await applyText(manifest('placed'), '-n', 'team');
    expect(await stored('placed', 'team')).toBeDefined();
  });

  it('refuses a namespace in the object and another in -n, as kubectl does', async () => {
    const { stderr, exitCode } = await applyText(manifest('torn', { namespace: 'one' }), '-n', 'two');
    expect(stderr).toContain(
      'the namespace from the provided object "one" does not match the namespace "two". ' +
        "You must pass '--namespace=one' to perform this operation.",
    );
    expect(exitCode).toBe(1);
    expect(await stored('torn', 'one')).toBeUndefined();
  });

  it('shows the cautions of the server as they are worded', async () => {
    const { stderr, exitCode } = await applyText(manifest('cautious', { host: 'printer.local, plotter' }));
    expect(stderr).toBe(
      'Warning: spec.hosts[0]: "printer.local" ends in .local, which many resolvers ask by multicast DNS only\n' +
        'Warning: spec.hosts[1]: "plotter" is a single label, which many resolvers complete with a search domain or never ask\n',
    );
    expect(exitCode).toBe(0);
  });

  it('reports each conflict with what is registered, and exits 1', async () => {
    await applyText(manifest('first', { host: 'contested.internal', protocol: 'HTTP' }));
    const { stderr, exitCode } = await applyText(manifest('second', { host: 'contested.internal', protocol: 'TCP' }));
    expect(stderr).toMatch(/^Error from server \(Invalid\): error when applying "STDIN" \(document 1\): .*first/);
    expect(exitCode).toBe(1);
  });
});

describe('apply -f', () => {
  const folderWith = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const cwd = await temporaryFolder();
    await mkdir(join(cwd, 'set', 'below'), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text);
    return cwd;
  };

  it('reads the manifests of a folder by name, and leaves other files and folders alone', async () => {
    const cwd = await folderWith({
      'set/b.yml': manifest('dir-b'),
      'set/a.yaml': manifest('dir-a'),
      'set/notes.txt': 'not: [yaml',
      'set/below/c.json': JSON.stringify(parse(manifest('dir-c'))),
    });
    const names = async (...words: string[]) => (await apply([...words, '-o', 'name'], { cwd })).stdout.split('\n');
    expect(await names('-f', 'set')).toEqual([
      'serviceentry.networking.istio.io/dir-a',
      'serviceentry.networking.istio.io/dir-b',
      '',
    ]);
    expect(await names('-R', '-f', 'set')).toContain('serviceentry.networking.istio.io/dir-c');
  });

  it('takes several files, and names the one with the error', async () => {
    const cwd = await folderWith({ 'one.yaml': manifest('one'), 'two.yaml': manifest('two', { port: -1 }) });
    const { stdout, stderr } = await apply(['-f', 'one.yaml', 'two.yaml'], { cwd });
    expect(stdout).toBe('serviceentry.networking.istio.io/one created\n');
    expect(stderr).toContain('error when applying "two.yaml" (document 1): ');
  });

  it.each<[string, string[], string]>([
    ['a file that is not there', ['-f', 'none.yaml'], 'error: cannot read none.yaml: there is no such file\n'],
    ['a folder without manifests', ['-f', 'set'], 'error: cannot read set: it holds no file that ends in .json,'],
    ['an empty input', ['-f', '-'], 'error: no objects passed to apply\n'],
    ['no -f at all', [], "error: required option '-f, --filename <file...>' not specified\n"],
    ['an unknown output', ['-f', '-', '-o', 'table'], 'Allowed choices are name, json, yaml.'],
  ])('refuses %s', async (_, words, problem) => {
    const { stdout, stderr, exitCode } = await apply(words, { cwd: await folderWith({}) });
    expect(stderr).toContain(problem);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
  });
});

describe('apply -o', () => {
  it.each(['json', 'yaml'])('%s prints what is stored, with the address it was given', async (format) => {
    const { stdout } = await applyText(manifest(`shown-${format}`), '-o', format);
    expect(parse(stdout)).toMatchObject({
      kind: 'ServiceEntry',
      metadata: { name: `shown-${format}`, namespace: 'default', generation: 1 },
      status: { addresses: [{ host: `shown-${format}.internal`, value: expect.stringMatching(/^240\.240\./) }, {}] },
    });
  });

  it('prints several as one list, which can be applied again', async () => {
    const { stdout } = await applyText(`${manifest('again-a')}---\n${manifest('again-b')}`, '-o', 'yaml');
    expect(parseAllDocuments(stdout)).toHaveLength(1);
    expect((await applyText(stdout)).stdout).toBe(
      'serviceentry.networking.istio.io/again-a unchanged\nserviceentry.networking.istio.io/again-b unchanged\n',
    );
  });
});

describe('apply --dry-run', () => {
  it('by the server changes nothing, and says so', async () => {
    const { stdout } = await applyText(manifest('dry'), '--dry-run=server');
    expect(stdout).toBe('serviceentry.networking.istio.io/dry created (server dry run)\n');
    expect(await stored('dry')).toBeUndefined();
  });

  it('by the client tells created from configured', async () => {
    await applyText(manifest('dry-old'));
    const { stdout } = await applyText(`${manifest('dry-old')}---\n${manifest('dry-new')}`, '--dry-run=client');
    expect(stdout).toBe(
      'serviceentry.networking.istio.io/dry-old configured (dry run)\n' +
        'serviceentry.networking.istio.io/dry-new created (dry run)\n',
    );
    expect(await stored('dry-new')).toBeUndefined();
  });

  it('by the client needs no server', async () => {
    const text = `${manifest('alone')}---\n${manifest('wrong', { port: 0 })}`;
    const ran = await apply(['-f', '-', '--dry-run=client'], { stdin: text, environment: {} });
    expect(ran.stdout).toBe('serviceentry.networking.istio.io/alone created (dry run)\n');
    expect(ran.stderr).toMatch(
      /^error: error validating "STDIN" \(document 2\): ServiceEntry\.networking\.istio\.io "wrong" is invalid: spec\.ports\[0\]\.number: /,
    );
    expect(ran.exitCode).toBe(1);
  });
});

describe('apply of many', () => {
  const many = (count: number, prefix: string): string =>
    Array.from({ length: count }, (_, at) => manifest(`${prefix}-${at}`)).join('---\n');

  it('prints in the order of the manifest', async () => {
    const { stdout, stderr } = await applyText(many(60, 'ordered'));
    const expected = Array.from(
      { length: 60 },
      (_, at) => `serviceentry.networking.istio.io/ordered-${at} created\n`,
    ).join('');
    expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: '' });
  });

  it('shows its progress on a terminal, and takes it away at the end', async () => {
    const { stderr } = await apply(['-f', '-'], { stdin: many(51, 'progress'), isTerminal: true });
    expect(stderr).toContain('applied 51 of 51');
    expect(stderr.endsWith('\r\x1b[K')).toBe(true);
  });

  it('shows no progress for a few', async () => {
    const { stderr } = await apply(['-f', '-'], { stdin: many(50, 'few'), isTerminal: true });
    expect(stderr).toBe('');
  });

  it('lets the later of two objects of one name win', async () => {
    const twice = Array.from({ length: 20 }, (_, at) => manifest('twice', { port: 1000 + at })).join('---\n');
    const { exitCode } = await applyText(twice);
    expect(exitCode).toBe(0);
    expect((await stored('twice'))?.spec.ports?.[0]?.number).toBe(1019);
  });

  it('has at most eight requests under way, and tries again when the server asks for it', async () => {
    let underWay = 0;
    let most = 0;
    const refused = new Set<string>();
    const slow = createServer(async (request, response) => {
      if (request.method === 'GET') {
        // What is in force is asked for once, before anything is written.
        expect(underWay + refused.size).toBe(0);
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ kind: 'ServiceEntryList', items: [] }));
        return;
      }
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay -= 1;
      const name = request.url?.split('?')[0]?.split('/').at(-1) ?? '';
      if (!refused.has(name)) {
        refused.add(name);
        response.writeHead(503, { 'retry-after': '0', 'content-type': 'application/json' });
        response.end(JSON.stringify({ kind: 'Status', reason: 'ServiceUnavailable', message: 'busy' }));
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json', 'meshdoh-outcome': 'unchanged' });
      response.end(JSON.stringify({ kind: 'ServiceEntry', metadata: { name }, spec: { hosts: [] } }));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void slow.close());
    const environment = { MESHDOH_SERVER: `http://127.0.0.1:${(slow.address() as AddressInfo).port}` };
    const { stdout, exitCode } = await apply(['-f', '-'], { stdin: many(40, 'slow'), environment });
    expect(exitCode).toBe(0);
    expect(stdout.match(/ unchanged$/gm)).toHaveLength(40);
    expect(most).toBe(8);
  });

  it('stops at the first object when the server cannot be reached', async () => {
    const environment = { MESHDOH_SERVER: 'http://127.0.0.1:1' };
    const { stdout, stderr, exitCode } = await apply(['-f', '-'], { stdin: many(20, 'lost'), environment });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
  });
});
