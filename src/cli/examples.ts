import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryWriter } from '../registry/writer.ts';
import { parseManifest } from '../serviceentry/manifest.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { packageRoot } from './package-root.ts';

const APPLY_TIMEOUT_MS = 10_000;

/** Applies the manifests that the package carries, so that a first run has something to ask for; their names. */
export async function applyExamples(writer: RegistryWriter): Promise<string[]> {
  const folder = join(packageRoot, 'examples');
  const applied: string[] = [];
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()) {
    const { documents } = parseManifest(readFileSync(join(folder, file), 'utf8'), file);
    for (const { value } of documents) {
      const result = validateServiceEntry(value);
      if (!result.ok) throw new Error(`${file}: ${result.errors.map(({ message }) => message).join(', ')}`);
      const outcome = await writer.apply(result.entry, {}, AbortSignal.timeout(APPLY_TIMEOUT_MS));
      if (outcome.kind === 'rejected') throw new Error(`${file}: ${outcome.message}`);
      applied.push(result.entry.metadata.name);
    }
  }
  return applied;
}
