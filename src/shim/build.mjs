// Bundles the shim into one file without dependencies, for hosts that have Node 22 or later and nothing else.
import { readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** What CommonJS modules call, and modules do not have. */
const REQUIRE = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

/**
 * Node's own modules, one by one as each export is asked for: an import reads all that such a module exports, and
 * thereby loads what is made on first use only, such as undici for `http.WebSocket` and Web Crypto for `crypto.subtle`.
 */
const builtinsByExport = {
  name: 'builtins-by-export',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'builtin' },
    );
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({ contents: exportsOf(path) }));
  },
};

/** A module with the exports of one of Node's; those that nobody imports are left out of the bundle. */
function exportsOf(builtin) {
  const names = Object.keys(process.getBuiltinModule(builtin)).filter((name) => /^[a-z]\w*$/i.test(name));
  return [
    `const builtin = /* @__PURE__ */ process.getBuiltinModule('${builtin}');`,
    'export default builtin;',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})();`),
  ].join('\n');
}

/** Returns what esbuild says of the sizes. */
export async function buildShim(outfile = 'dist/meshdoh-shim.mjs') {
  const { metafile } = await build({
    entryPoints: ['src/shim/main.ts'],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
    plugins: [builtinsByExport],
    define: { MESHDOH_VERSION: JSON.stringify(version) },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  await chmod(outfile, 0o755);
  return metafile;
}
