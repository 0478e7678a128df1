import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');

/** A function as it is uploaded. */
export interface Bundle {
  readonly name: string;
  readonly file: string;
  /** Without its source map. */
  readonly octets: number;
}

interface Deployed {
  readonly options: BuildOptions;
  readonly handlers: Readonly<Record<string, string>>;
}

/** esbuild's options and the functions, as the deployment has them. */
function deployed(): Deployed {
  const { custom, functions } = parse(readFileSync(join(ROOT, 'serverless.yml'), 'utf8'), { logLevel: 'error' });
  const { exclude, outputFileExtension, ...options } = custom.esbuild;
  const handlers = Object.entries(functions as Record<string, { handler: string }>).map(([name, { handler }]) => [
    name,
    handler.replace(/\.\w+$/, '.ts'),
  ]);
  return {
    options: { ...options, external: exclude, outExtension: { '.js': outputFileExtension } },
    handlers: Object.fromEntries(handlers),
  };
}

/** Every function of the deployment, and one that does nothing. */
export async function bundleFunctions(folder: string): Promise<{ empty: Bundle; functions: Bundle[] }> {
  const { options, handlers } = deployed();
  const bundle = async (name: string, entry: string): Promise<Bundle> => {
    const file = join(folder, `${name}.mjs`);
    const { metafile } = await build({
      ...options,
      absWorkingDir: ROOT,
      entryPoints: { [name]: entry },
      outdir: folder,
      metafile: true,
    });
    const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
    return { name, file, octets: output?.bytes ?? 0 };
  };
  const nothing = join(folder, 'nothing.ts');
  writeFileSync(nothing, 'export const handler = async () => ({ statusCode: 200 });\n');
  const functions: Bundle[] = [];
  for (const [name, entry] of Object.entries(handlers)) functions.push(await bundle(name, entry));
  return { empty: await bundle('empty', nothing), functions };
}
