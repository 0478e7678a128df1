import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error('the package of this program is not where it was installed');
  return findRoot(above);
}

/** Where the package is installed, from the sources as from the bundle. */
export const packageRoot = findRoot(import.meta.dirname);

export const packageVersion: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
