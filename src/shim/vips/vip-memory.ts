import { join } from 'node:path';
import { readStateFile, writeStateFile } from '../state-file.ts';
import type { VipPrefixes } from './ruleset.ts';
import type { VipMemory } from './vip-forwarding.ts';

const fileIn = (stateDir: string): string => join(stateDir, 'vips.json');

const NOTHING: VipMemory = { prefixes: { ipv4: [], ipv6: [] }, names: new Map() };

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

function prefixesFrom(value: unknown): VipPrefixes {
  const { ipv4, ipv6 } = (value ?? {}) as Record<string, unknown>;
  return { ipv4: texts(ipv4), ipv6: texts(ipv6) };
}

/** What an earlier run left; nothing where there is none, or none that can be read. */
export async function readVipMemory(stateDir: string): Promise<VipMemory> {
  try {
    const content = await readStateFile(fileIn(stateDir));
    const { prefixes, names } = JSON.parse(content ?? '{}') as Record<string, unknown>;
    const entries = Object.entries((names ?? {}) as Record<string, unknown>);
    return { prefixes: prefixesFrom(prefixes), names: new Map(entries.map(([name, found]) => [name, texts(found)])) };
  } catch {
    return NOTHING;
  }
}

const SAVE_AFTER_MS = 1_000;

/** Writes what is to be remembered, the last of several changes only. */
export function createVipMemory(stateDir: string, log: (line: string) => void) {
  let last: VipMemory | undefined;
  let written = '';
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  function save(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const content = last && JSON.stringify({ prefixes: last.prefixes, names: Object.fromEntries(last.names) });
    if (content === undefined || content === written) return writing;
    written = content;
    writing = writing
      .then(() => writeStateFile(fileIn(stateDir), content))
      .catch((error: Error) => log(`vips: cannot be remembered: ${error.message}`));
    return writing;
  }

  return {
    remember(memory: VipMemory): void {
      last = memory;
      timer ??= setTimeout(() => void save(), SAVE_AFTER_MS).unref();
    },
    /** Writes at once what is not written yet. */
    save,
  };
}
