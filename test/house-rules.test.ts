import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** What a folder of src/ may import of ours; `type:` means in type positions only, so nothing of it is loaded. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  dns: [],
  serviceentry: ['dns'],
  vip: ['dns'],
  table: ['dns', 'type:serviceentry'],
  cache: ['dns'],
  registry: ['dns', 'serviceentry', 'vip', 'table'],
  forward: ['dns', 'cache'],
  resolve: ['dns', 'table', 'type:registry', 'type:forward', 'type:cache'],
  http: ['dns', 'serviceentry', 'table', 'cache', 'registry', 'resolve', 'forward'],
  service: ['type:settings.ts', 'dns', 'registry', 'vip', 'resolve', 'cache', 'forward', 'http'],
  embedded: [],
  shim: ['dns', 'forward', 'cache', 'table', 'resolve', 'settings', 'young-objects.ts', 'type:registry'],
};

/** Modules whose I/O, clock or weight must stay out of a folder. */
const NEVER: Readonly<Record<string, RegExp>> = {
  dns: /^(node:(fs|http|https|http2|tls|dgram|dns|process|child_process)|@aws-sdk|hono|zod|yaml)/,
  serviceentry: /^(node:(fs|net|http|https|http2|process|child_process)|@aws-sdk|hono)/,
  vip: /^(node:(fs|net|http|https|http2|process|child_process)|@aws-sdk|hono|zod)/,
  table: /^(node:(fs|net|http|https|http2|process)|@aws-sdk|hono|zod)/,
  resolve: /^(node:(fs|net|http|https|http2|process)|@aws-sdk|hono|zod)/,
  forward: /^(@aws-sdk|hono|zod|yaml)/,
  registry: /^(hono|zod|yaml)/,
  http: /^(@aws-sdk|node:process)/,
  shim: /^(@aws-sdk|hono|zod|yaml|dynalite)/,
};

interface Import {
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const sources = globSync('{src,functions}/**/*.{ts,mjs}', { cwd: ROOT }).filter((file) => !file.endsWith('.d.ts'));

const importsOf = (file: string): Import[] =>
  [
    ...readFileSync(join(ROOT, file), 'utf8').matchAll(
      /^(?:import|export)\s+(type\s+)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/gms,
    ),
  ].map((match) => ({ file, specifier: match[2] ?? match[3] ?? '', typeOnly: match[1] !== undefined }));

const imports = sources.flatMap(importsOf);
const folderOf = (file: string): string => (file.startsWith('src/') ? (file.split('/')[1] ?? '') : 'functions');
const targetOf = ({ file, specifier }: Import): string =>
  relative(ROOT, join(ROOT, dirname(file), specifier)).replaceAll('\\', '/');

describe('import directions', () => {
  it.each(Object.entries(MAY_IMPORT))('src/%s imports only what lies below it', (folder, allowed) => {
    const wrong = imports.filter((one) => {
      if (folderOf(one.file) !== folder || !one.specifier.startsWith('.')) return false;
      const target = folderOf(targetOf(one));
      return target !== folder && !allowed.includes(target) && !(one.typeOnly && allowed.includes(`type:${target}`));
    });
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(NEVER))('src/%s stays clear of %s', (folder, never) => {
    expect(imports.filter((one) => folderOf(one.file) === folder && never.test(one.specifier))).toEqual([]);
  });

  it('only message.ts reads dns-packet, and only schema.ts zod', () => {
    const users = (module: string) => [
      ...new Set(imports.filter((one) => one.specifier === module).map((one) => one.file)),
    ];
    expect(users('dns-packet')).toEqual(['src/dns/message.ts']);
    expect(users('zod')).toEqual(['src/serviceentry/schema.ts']);
  });

  it('the AWS SDK appears only in the DynamoDB adapters and where programs are put together', () => {
    const places = /^(src\/registry\/dynamodb-[\w-]+\.ts|src\/(embedded|cli)\/|functions\/)/;
    expect(imports.filter((one) => one.specifier.startsWith('@aws-sdk') && !places.test(one.file))).toEqual([]);
  });

  it('no port of the registry pulls in an adapter', () => {
    const ports = [
      'src/registry/reader.ts',
      'src/registry/writer.ts',
      'src/registry/errors.ts',
      'src/registry/change.ts',
    ];
    expect(imports.filter((one) => ports.includes(one.file) && one.specifier.includes('dynamodb'))).toEqual([]);
  });
});

describe('files', () => {
  it('are named for what they hold', () => {
    const drawers = /(^|[/-])(utils?|helpers?|common|manager|misc|shared)([-.]|$)/;
    expect(sources.filter((file) => drawers.test(file) || /[A-Z]/.test(file))).toEqual([]);
  });

  it('read the environment and write to the terminal only at the edges', () => {
    const edges = /^(src\/cli\/|src\/shim\/main\.ts|functions\/)/;
    const speaking = sources.filter(
      (file) =>
        !edges.test(file) && /\bprocess\.(env|exit|std)|\bconsole\./.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(speaking).toEqual([]);
  });

  it('hold functions without branches in functions/, in at most 40 lines', () => {
    for (const file of sources.filter((one) => one.startsWith('functions/'))) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      expect(text.split('\n').length, file).toBeLessThanOrEqual(41);
      expect(text, file).not.toMatch(/\b(if|switch|for|while)\s*\(/);
    }
  });
});
