// Bundles the shim into one file without dependencies, for hosts that have Node 22 or later and nothing else.
import { readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import { minify } from 'terser';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * Node's own modules, one by one as each export is asked for: an import reads all that such a module exports, and
 * thereby loads what is made on first use only, such as undici for `http.WebSocket` and Web Crypto for `crypto.subtle`.
 */
const builtinsByExport = {
  name: 'builtins-by-export',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({ contents: exportsOf(path) }));
  },
};

/** Before everything else in the bundle. */
const BANNER = 'const getBuiltin = process.getBuiltinModule;';

/** A module with the exports of one of Node's; those that nobody imports are left out of the bundle. */
function exportsOf(builtin) {
  const names = Object.keys(process.getBuiltinModule(builtin)).filter((name) => /^[a-z]\w*$/i.test(name));
  return [
    `const builtin = /* @__PURE__ */ getBuiltin('${builtin.replace('node:', '')}');`,
    'export default builtin;',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})();`),
  ].join('\n');
}

/**
 * What esbuild leaves to shorten. No names of properties, and nothing that depends on the order or number of passes
 * beyond what is said here: the same sources give the same octets.
 */
const TERSER = {
  module: true,
  ecma: 2022,
  compress: {
    passes: 5,
    // Fields of constant objects are read where they are used, rather than made variables.
    hoist_props: false,
    // `new Error(…)` loses its `new`, and templates become sums: what they are made of here are texts and numbers.
    unsafe: true,
    // `Number(…)` becomes `+…`: there are no bigints here.
    unsafe_math: true,
    // A function without `this` becomes an arrow: nobody here calls one with `new`, or reads its `prototype`.
    unsafe_arrows: true,
    hoist_funs: true,
    sequences: false,
    // Reading a property has no effect of its own here, but for the getters of Node's modules, which only load.
    pure_getters: true,
    // Nobody reads the `length` of a function.
    keep_fargs: false,
  },
  format: { comments: false },
};

/** Returns what esbuild says of the sizes, which Terser makes a little smaller still. */
export async function buildShim(outfile = 'dist/meshdoh-shim.mjs') {
  const { metafile, outputFiles } = await build({
    entryPoints: ['src/shim/main.ts'],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: BANNER },
    plugins: [builtinsByExport],
    define: { MESHDOH_VERSION: JSON.stringify(version) },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    write: false,
  });
  const { code } = await minify(outputFiles[0].text, TERSER);
  await mkdir(dirname(outfile), { recursive: true });
  await writeFile(outfile, `#!/usr/bin/env node\n${code}\n`);
  await chmod(outfile, 0o755);
  return metafile;
}
