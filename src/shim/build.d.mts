import type { Metafile } from 'esbuild';

/** Writes the bundle, to `dist/meshdoh-shim.mjs` unless told otherwise; resolves to what is in it. */
export function buildShim(outfile?: string): Promise<Metafile>;
