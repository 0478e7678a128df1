import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './commands.ts';
import { PREFIX, removeNamespace } from './network.ts';

/** Of a run that has ended, by the process in its name. */
function isLeftOver(name: string): boolean {
  const [, pid] = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name) ?? [];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

/** Removes namespaces and folders that a run that was killed has left; those of runs that go on stay. */
export async function setup(): Promise<void> {
  const { stdout } = await run('ip', 'netns', 'list');
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of names.filter(isLeftOver)) await removeNamespace(name);
  const folders = (await readdir(tmpdir())).filter(isLeftOver);
  for (const folder of folders) await rm(join(tmpdir(), folder), { recursive: true, force: true });
}
