import { dirname, join, resolve } from 'node:path';
import type { CaptureSettings } from './capture.ts';
import type { FileEntry, HostFiles } from './host-files.ts';
import {
  isTexts,
  originalResolvers,
  originalResolversPath,
  RESOLVED_UPLINKS,
  saveOriginalResolvers,
} from './original-resolvers.ts';
import { isOurs, RESOLV_CONF } from './resolv-conf.ts';
import {
  NETWORK_MANAGER_DROP_IN,
  planResolver,
  RELOAD_OF,
  RESOLVED_DROP_IN,
  type ResolverFacts,
  type ResolverPlan,
} from './resolver-plan.ts';

export type RunCommand = (argv: readonly string[]) => Promise<void>;

export interface ResolverFilesOptions {
  readonly host: HostFiles;
  /** Runs a command that makes a service read its files again. Rejects when it fails. */
  readonly run: RunCommand;
}

export interface Applied {
  readonly how: string;
  /** Paths that had to be written. */
  readonly written: readonly string[];
}

/** The resolver of this host cannot be pointed at us. */
export class ResolverPlanError extends Error {
  override readonly name = 'ResolverPlanError';
}

interface Saved {
  readonly entry: FileEntry;
  /** What it read as, links followed. */
  readonly text: string;
}

const DROP_INS = [RESOLVED_DROP_IN, NETWORK_MANAGER_DROP_IN];

/** Root's alone: what is put back from here is put back as root. The shim's own state is its user's. */
export const HOST_STATE_DIR = '/var/lib/meshdoh-host';
const SAVED_PATH = join(HOST_STATE_DIR, 'resolv-conf.json');
/** What `zones` of the running shim last were, for those who apply without it. */
export const zonesPath = (stateDir: string): string => join(stateDir, 'zones.json');

/** Points this host's resolver at us, and back. Every step may be repeated. */
export class ResolverFiles {
  readonly #settings: CaptureSettings;
  readonly #host: HostFiles;
  readonly #run: RunCommand;

  constructor(settings: CaptureSettings, { host, run }: ResolverFilesOptions) {
    this.#settings = settings;
    this.#host = host;
    this.#run = run;
  }

  /** What `apply` would write, whether it is there or not. */
  async plan(zones: readonly string[]): Promise<ResolverPlan> {
    return planResolver(this.#settings, await this.facts(), zones);
  }

  /**
   * Keeps what somebody else has written since, then writes what differs.
   *
   * @throws ResolverPlanError; the error of the file system or of a command.
   */
  async apply(zones: readonly string[]): Promise<Applied> {
    await this.#keepOriginal();
    const plan = await this.plan(zones);
    if (!plan.ok) throw new ResolverPlanError(plan.reason);
    await this.#removeAllBut(plan.files.map(({ path }) => path));
    const written: string[] = [];
    for (const { path, content } of plan.files) {
      if (await this.#reads(path, content)) continue;
      await this.#host.write(path, content);
      written.push(path);
    }
    for (const argv of reloadsOf(written)) await this.#run(argv);
    return { how: plan.how, written };
  }

  /** Whether everything is as `apply` leaves it. */
  async isApplied(zones: readonly string[]): Promise<boolean> {
    const plan = await this.plan(zones);
    if (!plan.ok) return false;
    const asPlanned = plan.files.map(({ path, content }) => this.#reads(path, content));
    return (await Promise.all(asPlanned)).every(Boolean);
  }

  /** Puts back what was there. What somebody else has written over ours stays. */
  async restore(): Promise<void> {
    await this.#removeAllBut([]);
  }

  /** After `restore`: what was kept to do it. */
  async forget(): Promise<void> {
    const { stateDir } = this.#settings;
    for (const path of [SAVED_PATH, originalResolversPath(stateDir), zonesPath(stateDir)])
      await this.#host.remove(path);
  }

  async #reads(path: string, content: string): Promise<boolean> {
    return (await this.#host.read(path)) === content;
  }

  async #removeAllBut(kept: readonly string[]): Promise<void> {
    if (!kept.includes(RESOLV_CONF) && isOurs((await this.#host.read(RESOLV_CONF)) ?? '')) {
      const saved = await this.#saved();
      await this.#host.restore(RESOLV_CONF, saved?.entry ?? { kind: 'absent' });
    }
    const removed: string[] = [];
    for (const path of DROP_INS) {
      if (kept.includes(path) || !(await this.#host.exists(path))) continue;
      await this.#host.remove(path);
      await this.#host.removeEmpty(dirname(path));
      removed.push(path);
    }
    for (const argv of reloadsOf(removed)) await this.#run(argv);
  }

  async #keepOriginal(): Promise<void> {
    const text = (await this.#host.read(RESOLV_CONF)) ?? '';
    if (isOurs(text)) return;
    const { stateDir, listen } = this.#settings;
    const entry = await this.#host.entry(RESOLV_CONF);
    const saved: Saved = { entry, text };
    const json = `${JSON.stringify(saved)}\n`;
    if (!(await this.#reads(SAVED_PATH, json))) await this.#host.write(SAVED_PATH, json);
    const found = originalResolvers(text, await this.#host.read(RESOLVED_UPLINKS), listen);
    // systemd-resolved lists nobody but us for a moment after a restart: what it listed before still holds.
    if (found.servers.length === 0) return;
    const file = entry.kind === 'symlink' ? resolve(dirname(RESOLV_CONF), entry.target) : undefined;
    await saveOriginalResolvers(this.#host, stateDir, { ...found, ...(file !== undefined && { file }) });
  }

  async #saved(): Promise<Saved | undefined> {
    const json = await this.#host.read(SAVED_PATH);
    return json === undefined ? undefined : (JSON.parse(json) as Saved);
  }

  async facts(): Promise<ResolverFacts> {
    const current = (await this.#host.read(RESOLV_CONF)) ?? '';
    const nsswitch = (await this.#host.read('/etc/nsswitch.conf')) ?? '';
    return {
      resolvConf: isOurs(current) ? ((await this.#saved())?.text ?? '') : current,
      resolved: await this.#host.exists(RESOLVED_UPLINKS),
      nssResolve: /^hosts:.*\bresolve\b/m.test(nsswitch),
      networkManager: await this.#host.exists('/run/NetworkManager'),
    };
  }
}

const reloadsOf = (paths: readonly string[]): (readonly string[])[] =>
  paths.flatMap((path) => (RELOAD_OF[path] ? [RELOAD_OF[path]] : []));

/** What the running shim last told; none where it has told nothing. */
export async function readZones(host: HostFiles, stateDir: string): Promise<readonly string[]> {
  try {
    const zones: unknown = JSON.parse((await host.read(zonesPath(stateDir))) ?? '[]');
    return isTexts(zones) && zones.every(isZone) ? zones : [];
  } catch {
    return [];
  }
}

/** It is written into root's file, and the shim's user wrote it. */
const isZone = (text: string): boolean => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(text);
