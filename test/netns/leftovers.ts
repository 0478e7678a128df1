import { existsSync } from 'node:fs';
import { run } from './commands.ts';
import { PREFIX, removeNamespace } from './network.ts';

/** Removes what a run that was killed has left; namespaces of runs that go on stay. */
export async function setup(): Promise<void> {
  const { stdout } = await run('ip', 'netns', 'list');
  for (const line of stdout.split('\n')) {
    const [name = ''] = line.split(' ');
    const [, pid] = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeNamespace(name);
  }
}
