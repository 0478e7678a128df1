import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeFolder, type RunningStart, removeFolder, runStart } from '../support/running-start.ts';

/** `KUBECTL` names another one than that of the path. */
const KUBECTL = process.env.KUBECTL ?? 'kubectl';
const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let folder: string;
let server: RunningStart;
const running: ChildProcess[] = [];

const environment = (more: Readonly<Record<string, string>> = {}) => ({
  ...process.env,
  HOME: folder,
  KUBECONFIG: join(folder, 'kubeconfig'),
  ...more,
});

function start(command: string, args: readonly string[], more?: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(command, args, { cwd: folder, env: environment(more), stdio: ['pipe', 'pipe', 'pipe'] });
  running.push(child);
  return child;
}

async function run(
  command: string,
  args: readonly string[],
  { stdin = '', env }: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = start(command, args, env);
  const ran = { out: '', err: '' };
  child.stdout?.on('data', (text: Buffer) => (ran.out += text));
  child.stderr?.on('data', (text: Buffer) => (ran.err += text));
  child.stdin?.end(stdin);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('close', resolve).once('error', reject);
  return { code: await promise, ...ran };
}

const kubectl = (...args: string[]) => run(KUBECTL, args);

/** Of a command that has to succeed. */
async function output(...args: string[]): Promise<string> {
  const { code, out, err } = await kubectl(...args);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

const object = async (name: string) => JSON.parse(await output('get', 'se', name, '-o', 'json'));

async function manifest(name: string, port = 80, fields = ''): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: ${name}
spec:
  hosts:
  - ${name}.internal
  ports:
  - number: ${port}
    name: http
    protocol: HTTP
  resolution: DNS
${fields}`,
  );
  return file;
}

beforeAll(async () => {
  if (spawnSync(KUBECTL, ['version', '--client']).status !== 0) {
    throw new Error(`${KUBECTL} is missing: apt-get install kubernetes-client`);
  }
  folder = await makeFolder();
  server = await runStart(folder, ['--auth', 'tokens', '--upstreams', 'http://127.0.0.1:9/dns-query']);
  const { code, out, err } = await run(process.execPath, [LAUNCH, 'kubeconfig']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  await writeFile(join(folder, 'kubeconfig'), out);
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill();
});
afterAll(async () => {
  await server?.kill('SIGTERM');
  await removeFolder(folder);
});

describe('the kubeconfig', () => {
  it('names the server over HTTPS and the file of the token, not the token', async () => {
    const text = await readFile(join(folder, 'kubeconfig'), 'utf8');
    const token = (await readFile(join(folder, '.meshdoh/admin-token'), 'utf8')).trim();
    expect(text).not.toContain(token);
    const { clusters, users } = parse(text);
    expect(clusters[0].cluster.server).toBe(`https://localhost:${server.httpsPort}`);
    expect(users[0].user).toEqual({ tokenFile: join(folder, '.meshdoh/admin-token') });
  });

  it('is needed: another token is not let in', async () => {
    const wrong = join(folder, 'wrong-token');
    await writeFile(wrong, 'wrong\n');
    const text = (await readFile(join(folder, 'kubeconfig'), 'utf8')).replace(/tokenFile: .*/, `tokenFile: ${wrong}`);
    const config = join(folder, 'wrong-kubeconfig');
    await writeFile(config, text);
    const { code, err } = await kubectl('--kubeconfig', config, 'get', 'se');
    expect(code).toBe(1);
    expect(err).toMatch(/Unauthorized|must be logged in|asked for the client to provide credentials/);
  });
});

describe('kubectl looks', () => {
  it('at the API and its kinds', async () => {
    expect(await output('api-resources', '--api-group=networking.istio.io')).toMatch(
      /serviceentries +se +networking\.istio\.io\/v1 +true +ServiceEntry/,
    );
    expect(await output('api-versions')).toMatch(/^networking\.istio\.io\/v1\n.*v1alpha3\n.*v1beta1\n/);
    expect((await output('api-resources', '--no-headers')).trimEnd().split('\n')).toHaveLength(1);
  });

  it('at all entries, with the columns of Istio', async () => {
    const [header = '', first = ''] = (await output('get', 'se', '-A')).split('\n');
    expect(header.split(/ +/)).toEqual(['NAMESPACE', 'NAME', 'HOSTS', 'LOCATION', 'RESOLUTION', 'AGE']);
    expect(first).toMatch(/^default +external-address +\["address\.internal"\] +\d+s$/);
  });

  it('at virtual IPs with -o wide', async () => {
    const [header = '', row = ''] = (await output('get', 'serviceentry', 'external-auto', '-o', 'wide')).split('\n');
    expect(header).toMatch(/AGE +ADDRESSES$/);
    expect(row).toMatch(/ 240\.240\.\d+\.\d+,2001:2:\S+$/);
  });

  it('at one as YAML, in every version', async () => {
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const resource = `serviceentries.${version}.networking.istio.io`;
      expect(parse(await output('get', resource, 'external-auto', '-o', 'yaml'))).toMatchObject({
        apiVersion: `networking.istio.io/${version}`,
        kind: 'ServiceEntry',
        spec: { hosts: ['auto.internal'] },
        status: { conditions: [{ type: 'AddressesAllocated', status: 'True' }] },
      });
    }
  });

  it('at more than one part holds', async () => {
    const names = (await output('get', 'se', '--chunk-size=1', '-o', 'name')).trimEnd().split('\n');
    expect(names).toEqual(
      ['address', 'auto', 'svc-1', 'svc-2'].map((name) => `serviceentry.networking.istio.io/external-${name}`),
    );
  });

  it('closely, with describe', async () => {
    const text = await output('describe', 'se', 'external-auto');
    expect(text).toMatch(/^Name: +external-auto\nNamespace: +default\n/);
    expect(text).toMatch(/Status:\n {2}Addresses:\n {4}Host: +auto\.internal\n {4}Value: +240\.240\./);
  });

  it('up what a field means, with explain', async () => {
    expect(await output('explain', 'se')).toMatch(/KIND: +ServiceEntry[\s\S]*spec\s+<Object>/);
    const ports = await output('explain', 'se.spec.ports');
    expect(ports).toMatch(/number\s+<integer> -required-\n\s+A port number, 1 to 65535/);
  });

  it('for what is not there', async () => {
    expect(await kubectl('get', 'se', 'none')).toEqual({
      code: 1,
      out: '',
      err: 'Error from server (NotFound): serviceentries.networking.istio.io "none" not found\n',
    });
    expect((await kubectl('get', 'pods')).err).toContain('the server doesn\'t have a resource type "pods"');
  });
});

describe('kubectl apply', () => {
  it('takes a here-document, as the walk-through has it', async () => {
    const script = `
"$KUBECTL" apply -f - <<EOF
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: external-auto-2
spec:
  hosts:
  - auto-2.internal
  ports:
  - name: http
    number: 80
    protocol: HTTP
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: external-address-2
spec:
  addresses:
  - 198.51.100.2
  hosts:
  - address-2.internal
  ports:
  - name: http
    number: 80
    protocol: HTTP
EOF`;
    const { code, out, err } = await run('bash', ['-c', script], { env: { KUBECTL } });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(
      'serviceentry.networking.istio.io/external-auto-2 created\n' +
        'serviceentry.networking.istio.io/external-address-2 created\n',
    );
    const dns = await run('dig', ['+short', '@127.0.0.1', '-p', String(server.dnsPort), 'address-2.internal']);
    expect(dns.out).toBe('198.51.100.2\n');
  });

  it('takes the examples as they are, then changes what changed', async () => {
    const examples = join(import.meta.dirname, '../../examples');
    // It tells, once, that somebody else made them.
    expect(await kubectl('apply', '-f', examples)).toMatchObject({
      code: 0,
      out: expect.stringContaining('external-auto configured'),
    });
    expect(await output('apply', '-f', examples)).toMatch(/external-auto unchanged/);
    const file = await manifest('changing', 80);
    expect(await output('apply', '-f', file)).toMatch(/changing created/);
    expect(await output('apply', '-f', file)).toMatch(/changing unchanged/);
    await manifest('changing', 8080);
    expect(await output('apply', '-f', file, '--dry-run=server')).toMatch(/changing configured \(server dry run\)/);
    expect((await object('changing')).spec.ports[0].number).toBe(80);
    expect(await output('apply', '-f', file)).toMatch(/changing configured/);
    expect(await object('changing')).toMatchObject({
      metadata: { generation: 2 },
      spec: { ports: [{ number: 8080 }] },
    });
  });

  it('is refused with the name of the field', async () => {
    const file = await manifest('bad', 80, '  hostz: [a]\n');
    const { code, err } = await kubectl('apply', '-f', file);
    expect(code).toBe(1);
    expect(err).toContain('unknown field "hostz"');
    expect((await kubectl('get', 'se', 'bad')).code).toBe(1);
  });

  it('--server-side', async () => {
    const file = await manifest('sided');
    expect(await output('apply', '--server-side', '-f', file)).toMatch(/sided serverside-applied/);
  });

  it('takes what it has exported, from here or from elsewhere', async () => {
    await output('apply', '-f', await manifest('exported'));
    const list = JSON.parse(await output('get', 'se', '-o', 'json'));
    const items = list.items.map((item: { metadata: object }) => ({
      ...item,
      metadata: { ...item.metadata, uid: 'elsewhere', resourceVersion: '7', namespace: 'imported' },
    }));
    const stdin = JSON.stringify({ ...list, items });
    const first = await run(KUBECTL, ['apply', '-f', '-'], { stdin });
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: '' });
    expect(first.out).toMatch(/exported created/);
    const second = await run(KUBECTL, ['apply', '-f', '-'], { stdin });
    expect({ code: second.code, err: second.err }).toEqual({ code: 0, err: '' });
  });
});

describe('kubectl changes one entry', () => {
  beforeAll(async () => {
    await output('apply', '-f', await manifest('one'));
  });

  it('diff shows what would change, and exits 1', async () => {
    const { code, out } = await kubectl('diff', '-f', await manifest('one', 8080));
    expect(code).toBe(1);
    expect(out).toContain('\n-    number: 80\n+    number: 8080\n');
    // What does not happen has no version of its own.
    expect(out).not.toMatch(/^[+-] +resourceVersion/m);
    expect((await kubectl('diff', '-f', await manifest('one', 80))).code).toBe(0);
  });

  it('edit, by a script', async () => {
    const env = { KUBE_EDITOR: 'sed -i s/number:.80$/number:\\ 9090/' };
    const edited = await run(KUBECTL, ['edit', 'se', 'one'], { env });
    expect(edited).toMatchObject({ code: 0, out: 'serviceentry.networking.istio.io/one edited\n' });
    expect((await object('one')).spec.ports[0].number).toBe(9090);
  });

  it('patch, by merging and by operations, and not by strategy', async () => {
    const merge = '{"spec":{"location":"MESH_EXTERNAL"}}';
    expect(await output('patch', 'se', 'one', '--type=merge', '-p', merge)).toMatch(/one patched/);
    const operations = '[{"op":"replace","path":"/spec/ports/0/number","value":99}]';
    expect(await output('patch', 'se', 'one', '--type=json', '-p', operations)).toMatch(/one patched/);
    expect((await object('one')).spec).toMatchObject({ location: 'MESH_EXTERNAL', ports: [{ number: 99 }] });
    const { code, err } = await kubectl('patch', 'se', 'one', '-p', merge);
    expect(code).toBe(1);
    expect(err).toMatch(/UnsupportedMediaType|is not supported/);
  });

  it('label and annotate, and selects by labels', async () => {
    expect(await output('label', 'se', 'one', 'tier=front')).toMatch(/one labeled/);
    expect(await output('annotate', 'se', 'one', 'note=hello')).toMatch(/one annotate/);
    expect((await object('one')).metadata).toMatchObject({ labels: { tier: 'front' }, annotations: { note: 'hello' } });
    for (const selector of ['tier=front', 'tier in (front,back),!absent', 'tier,tier!=back']) {
      expect(await output('get', 'se', '-l', selector, '-o', 'name')).toBe('serviceentry.networking.istio.io/one\n');
    }
    expect(await output('get', 'se', '--field-selector', 'metadata.name=one', '-o', 'name')).toMatch(/\/one\n$/);
    expect((await kubectl('get', 'se', '-l', 'tier=back')).out).toBe('');
    expect((await kubectl('get', 'se', '--field-selector', 'spec.hosts=a')).err).toContain('field label not supported');
    expect(await output('label', 'se', 'one', 'tier-')).toMatch(/one (un)?labeled/);
  });

  it('replace, and not with an old version', async () => {
    const old = await object('one');
    await output('annotate', 'se', 'one', 'note=again', '--overwrite');
    const { code, err } = await run(KUBECTL, ['replace', '-f', '-'], { stdin: JSON.stringify(old) });
    expect(code).toBe(1);
    expect(err).toContain('Conflict');
    const stdin = JSON.stringify(await object('one'));
    expect(await run(KUBECTL, ['replace', '-f', '-'], { stdin })).toMatchObject({ code: 0 });
  });

  it('create refuses what is there', async () => {
    const { code, err } = await kubectl('create', '-f', await manifest('one'));
    expect(code).toBe(1);
    expect(err).toContain('(AlreadyExists)');
  });

  it('wait, for a condition', async () => {
    expect(await output('wait', '--for=condition=AddressesAllocated', 'se/one', '--timeout=10s')).toMatch(
      /condition met/,
    );
    expect((await kubectl('wait', '--for=condition=Never', 'se/one', '--timeout=1s')).err).toContain('timed out');
  });

  it('get -w shows changes, wait --for=delete the end', async () => {
    const watching = start(KUBECTL, ['get', 'se', 'one', '-w', '--output-watch-events']);
    let shown = '';
    watching.stdout?.on('data', (text: Buffer) => (shown += text));
    await expect.poll(() => shown, { timeout: 10_000 }).toMatch(/ADDED +one/);
    await output('patch', 'se', 'one', '--type=merge', '-p', '{"spec":{"location":"MESH_INTERNAL"}}');
    await expect.poll(() => shown, { timeout: 10_000 }).toMatch(/MODIFIED +one .*MESH_INTERNAL/);
    const waiting = kubectl('wait', '--for=delete', 'se/one', '--timeout=20s');
    expect(await output('delete', 'se', 'one', '--dry-run=server')).toContain('deleted (server dry run)');
    expect(await output('delete', 'se', 'one')).toContain('"one" deleted');
    await expect.poll(() => shown, { timeout: 10_000 }).toMatch(/DELETED +one/);
    expect((await waiting).code).toBe(0);
    expect((await kubectl('get', 'se', 'one')).code).toBe(1);
  });

  it('delete, by label and by file', async () => {
    const files = [await manifest('two'), await manifest('three')];
    for (const file of files) await output('apply', '-f', file);
    await output('label', 'se', 'two', 'three', 'gone=soon');
    const deleted = await output('delete', 'se', '-l', 'gone=soon');
    expect(deleted.match(/deleted/g)).toHaveLength(2);
    expect((await kubectl('delete', '-f', files[0] ?? '')).err).toContain('(NotFound)');
    expect((await kubectl('delete', '-f', files[0] ?? '', '--ignore-not-found')).code).toBe(0);
  });
});
