import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, type Outcome, type Running, run } from './commands.ts';
import type { Network } from './network.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** Node inside the VM, where services see it wherever the project is. */
export const NODE = '/usr/local/lib/node-of-the-vm';
/** The project inside the VM, where every user sees it. */
const PROJECT_IN_VM = '/srv/meshdoh';
/** A file of these tests, as programs of the VM name it. */
export const inVm = (file: string): string => join(PROJECT_IN_VM, 'test/netns', file);

/**
 * The operating system of the VM: this machine's own files under a layer that takes all changes, so that what is
 * installed there leaves the machine as it is.
 */
export class VmHost {
  readonly network: Network;
  readonly #holder: Running;

  private constructor(network: Network, holder: Running) {
    this.network = network;
    this.#holder = holder;
  }

  static async create(network: Network): Promise<VmHost> {
    const root = join(network.folder, 'root');
    const layers = { upper: join(network.folder, 'upper'), work: join(network.folder, 'work') };
    for (const folder of [root, layers.upper, layers.work]) await mkdir(folder, { recursive: true });
    const script = `set -e
mount -t overlay overlay -o lowerdir=/,upperdir=${layers.upper},workdir=${layers.work} ${root}
for each in /proc /dev; do mkdir -p ${root}$each; mount --rbind $each ${root}$each; done
mkdir -p ${root}${PROJECT_IN_VM}
mount --rbind ${PROJECT} ${root}${PROJECT_IN_VM}
mount -t tmpfs tmpfs ${root}/run
touch ${root}${NODE}
mount --bind ${process.execPath} ${root}${NODE}
echo mounted
exec chroot ${root} sleep infinity`;
    const holder = await network.start('vm', ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script]);
    await holder.says('mounted');
    const host = new VmHost(network, holder);
    await host.run('true');
    return host;
  }

  /** Where its files are seen from outside. */
  at(path: string): string {
    return `/proc/${this.#holder.pid}/root${path}`;
  }

  read(path: string): Promise<string> {
    return readFile(this.at(path), 'utf8');
  }

  async write(path: string, content: string): Promise<void> {
    await mkdir(join(this.at(path), '..'), { recursive: true });
    await writeFile(this.at(path), content);
  }

  run(...command: string[]): Promise<Outcome> {
    const [nsenter, ...args] = this.enter(...command);
    return run(nsenter, ...args);
  }

  must(...command: string[]): Promise<string> {
    const [nsenter, ...args] = this.enter(...command);
    return must(nsenter, ...args);
  }

  enter(...command: string[]): [string, ...string[]] {
    const pid = String(this.#holder.pid);
    return ['nsenter', '--target', pid, '--mount', '--net', `--root=/proc/${pid}/root`, '--wdns=/', '--', ...command];
  }

  /**
   * Contents, modes and links of its configuration, and what else there is at all: one line each. Without the backups
   * that tools make of the list of users.
   */
  async image(): Promise<string> {
    const script = `find /etc /run ! -type d ! -name '*-' -printf '%p %m %U %G %l ' \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\)
find /etc /run -type d
find /var/lib /usr/local /usr/lib -maxdepth 1`;
    return (await this.must('sh', '-c', script)).split('\n').toSorted().join('\n');
  }
}
