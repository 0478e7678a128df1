// Bundles what ships: Node does not run TypeScript below node_modules.
import { chmod, rm, symlink } from 'node:fs/promises';
import { build } from 'esbuild';
import { buildShim } from '../shim/build.mjs';

const COMMAND = 'dist/meshdoh.mjs';
/** In a checkout, where nobody installed the package: so that `npx meshdoh` finds it all the same. */
const LINK = 'node_modules/.bin/meshdoh';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: { meshdoh: 'src/cli/launch.mjs' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  chunkNames: '[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node22',
  // Installed beside the bundle: the engine of the embedded store has native parts.
  packages: 'external',
  legalComments: 'none',
  logLevel: 'warning',
});
await chmod(COMMAND, 0o755);
await buildShim();
if (process.platform !== 'win32') {
  await rm(LINK, { force: true });
  await symlink(`../../${COMMAND}`, LINK);
}
