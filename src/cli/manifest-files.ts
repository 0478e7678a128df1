import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Manifest, parseManifest } from '../serviceentry/manifest.ts';
import { CommandFailure } from './failure.ts';
import type { Io } from './io.ts';
import { fileFailure, readText, readTextFile } from './text-file.ts';

export interface ManifestOptions {
  /** Files and folders; `-` is standard input. */
  readonly filename: readonly string[];
  /** Folders below folders too. */
  readonly recursive?: boolean;
}

const EXTENSION = /\.(json|ya?ml)$/;

/** The objects of everything that is named, in the order it is named in. @throws CommandFailure for what cannot be read. */
export async function readManifests({ filename, recursive = false }: ManifestOptions, io: Io): Promise<Manifest> {
  const manifests: Manifest[] = [];
  for (const named of filename) {
    if (named === '-') {
      manifests.push(parseManifest(await readText(io.stdin, 'standard input'), 'STDIN'));
      continue;
    }
    for (const file of await filesAt(named, recursive, io)) {
      manifests.push(parseManifest(await readTextFile(resolve(io.cwd, file), file), file));
    }
  }
  return {
    documents: manifests.flatMap(({ documents }) => documents),
    errors: manifests.flatMap(({ errors }) => errors),
  };
}

/** A file, or the manifests in a folder, by name. */
async function filesAt(named: string, recursive: boolean, { cwd }: Io): Promise<string[]> {
  try {
    const path = resolve(cwd, named);
    if (!(await stat(path)).isDirectory()) return [named];
    const names = (await readdir(path, { recursive })).filter((name) => EXTENSION.test(name)).sort();
    if (names.length > 0) return names.map((name) => join(named, name));
  } catch (error) {
    throw fileFailure(error, named);
  }
  throw new CommandFailure(`cannot read ${named}: it holds no file that ends in .json, .yaml or .yml`);
}
