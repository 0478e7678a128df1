// Bundles what ships: Node does not run TypeScript below node_modules.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const OUTPUT = 'dist';

await rm(OUTPUT, { recursive: true, force: true });
await build({
  entryPoints: { meshdoh: 'src/cli/bin.ts' },
  outdir: OUTPUT,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node22',
  // Installed beside the bundle: the engine of the embedded store has native parts.
  packages: 'external',
  banner: { js: '#!/usr/bin/env node' },
  legalComments: 'none',
  logLevel: 'warning',
});
