import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Deployment, deploy } from '../support/deployment.ts';
import { answersOf, queryWire } from '../support/dns.ts';
import { bodyOf, httpEvent } from '../support/http-event.ts';
import { serviceEntry } from '../support/registry.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Octets: what an environment reads and compiles before its first query. */
const LARGEST_DOH_BUNDLE = 400 * 1024;

/** esbuild's options as the deployment gives them. */
function deployedOptions(): BuildOptions {
  const { custom } = parse(readFileSync(join(ROOT, 'serverless.yml'), 'utf8'), { logLevel: 'error' });
  const { exclude, outputFileExtension, ...options } = custom.esbuild;
  return { ...options, external: exclude, outExtension: { '.js': outputFileExtension } };
}

const folder = mkdtempSync(join(tmpdir(), 'meshdoh-bundle-'));

async function bundle(name: string): Promise<{ path: string; output: Metafile['outputs'][string] }> {
  const { metafile } = await build({
    ...deployedOptions(),
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.ts`],
    outdir: folder,
    metafile: true,
  });
  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (!output) throw new Error(`no bundle of ${name}`);
  return { path: pathToFileURL(join(folder, `${name}.mjs`)).href, output };
}

let deployment: Deployment;
let doh: Awaited<ReturnType<typeof bundle>>;

beforeAll(async () => {
  [deployment, doh] = await Promise.all([deploy(), bundle('doh')]);
});

afterAll(async () => {
  await deployment.close();
  rmSync(folder, { recursive: true });
});

/** What of the sources is left in a bundle. */
const contentsOf = ({ inputs }: Metafile['outputs'][string]): string[] =>
  Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []));

describe('the bundle of the DoH function', () => {
  it('is small', () => {
    expect(doh.output.bytes).toBeLessThan(LARGEST_DOH_BUNDLE);
  });

  it.each([
    ['zod', /node_modules\/zod\//],
    ['YAML', /node_modules\/yaml\//],
    ['hono', /node_modules\/(@hono|hono)\//],
    ['the embedded DynamoDB', /node_modules\/(dynalite|classic-level)\/|src\/embedded\//],
    ['metrics', /node_modules\/(prom-client|@opentelemetry)\/|src\/http\/metrics/],
    ['the ServiceEntry API', /src\/http\/admin-/],
    ['anything that writes to the registry', /src\/registry\/dynamodb-(writer|findable)|src\/vip\/plan/],
    ['validation of entries', /src\/serviceentry\/(schema|validate|manifest|rules)/],
    ['sources of credentials other than the environment', /credential-provider-(?!env|node)|nested-clients/],
  ])('has nothing of %s', (_, pattern) => {
    expect(contentsOf(doh.output).filter((path) => pattern.test(path))).toEqual([]);
  });

  it('answers', async () => {
    await deployment.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
    const handler = await deployment.start(doh.path);
    const dns = queryWire('auto.internal').toString('base64url');
    const result = await handler(httpEvent({ target: `/iam/dns-query?dns=${dns}`, signed: true }));
    const vip = await deployment.registry.vipOf('auto.internal');
    expect(answersOf(bodyOf(result))).toEqual([`auto.internal 300 A ${vip}`]);
  });
});

describe('the bundle of the ServiceEntry API', () => {
  it('answers', async () => {
    const handler = await deployment.start((await bundle('admin')).path);
    const target = '/apis/networking.istio.io/v1/serviceentries';
    const result = await handler(httpEvent({ target, signed: true }));
    expect(JSON.parse(result.body)).toMatchObject({ kind: 'ServiceEntryList' });
  });
});
