// Bundles the shim into one file without dependencies, for hosts that have Node 22 or later and nothing else.
import { readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** What CommonJS modules call, and modules do not have. */
const REQUIRE = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

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
    define: { MESHDOH_VERSION: JSON.stringify(version) },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  await chmod(outfile, 0o755);
  return metafile;
}
