import { createHash } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { Call, Fault, Faults, LateFault } from '../../src/embedded/faults.ts';
import { decodeEntry } from '../../src/registry/dynamodb-items.ts';
import { marshalKey } from '../../src/registry/dynamodb-update.ts';
import { RegistryUnavailableError } from '../../src/registry/errors.ts';
import { entryItem } from '../../src/registry/keys.ts';
import { pinsOf } from '../../src/registry/pins.ts';
import { type EntryState, entryKey, NO_ENTRY } from '../../src/registry/state.ts';
import type { RegistryWriter, WriteOutcome } from '../../src/registry/writer.ts';
import { claimsOf } from '../../src/serviceentry/claims.ts';
import { BLOCK_SLOTS, type Pool } from '../../src/vip/pool.ts';
import {
  deadline,
  openTestRegistry,
  serviceEntry,
  TABLE,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';
import { faultOfOutcome, type Version } from './history.ts';
import { changeFaults, faultsOf, type Instant, versionsOf } from './invariants.ts';
import { Random } from './random.ts';
import { readTable } from './table-image.ts';
import { Turnstile } from './turnstile.ts';
import { type Known, type Operation, Workload } from './workload.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly pool: Pool;
  readonly operations: number;
  /** Of the pool, written into an entry before anything else. */
  readonly pinned?: string;
  readonly bigChance?: number;
  readonly writers?: number;
}

export interface SimulationReport {
  /** Of every step taken: equal for equal runs. */
  readonly trace: string;
  readonly outcomes: ReadonlyMap<string, number>;
}

/** An operation under way, or over. */
interface Running {
  readonly id: number;
  readonly operation: Operation;
  readonly key: string;
  readonly abort: AbortController;
  /** Of the history of its entry, when it began. */
  readonly since: number;
  /** Nothing will answer it before it is aborted. */
  hanging: boolean;
  passes: number;
  done: boolean;
}

interface Process {
  readonly number: number;
  writer: RegistryWriter;
  running: Running | undefined;
}

const LONGEST_EXPRESSION = 4096;
const MOST_PASSES = 5000;
const LATE: readonly LateFault['kind'][] = [
  'lostConnection',
  'lostConnection',
  'lostConnection',
  'internalError',
  'timeout',
  'kill',
];
const EARLY: readonly Exclude<Fault['kind'], 'unprocessedKeys'>[] = [
  ...(['conflict', 'conflict', 'conflict', 'throttled', 'internalError', 'lostConnection', 'timeout', 'kill'] as const),
];

const keyOf = (operation: Operation): string =>
  operation.kind === 'apply'
    ? entryKey(operation.entry.metadata.namespace, operation.entry.metadata.name)
    : entryKey(operation.namespace, operation.name);

const hostsOf = (state: EntryState): string[] =>
  versionsOf(state).flatMap((entry) => claimsOf(entry).map(({ host }) => host));

/** Writers, faults, a clock and a table, stepped through by random numbers. */
export class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #turnstile: Turnstile;
  readonly #workload: Workload;
  readonly #registry: TestRegistry;
  readonly #processes: Process[];
  readonly #history = new Map<string, Version<Running>[]>();
  readonly #outcomes = new Map<string, number>();
  readonly #lastPinned = new Map<string, number>();
  readonly #trace = createHash('sha256');
  readonly #tail: string[] = [];
  /** Operations that ran since the last look at the table. */
  #recent = new Set<Running>();
  #last: Instant | undefined;
  #transactions = 0;
  #started = 0;
  #failure: unknown;

  private constructor(options: SimulationOptions, registry: TestRegistry) {
    this.#options = options;
    this.#registry = registry;
    this.#random = new Random(options.seed);
    this.#turnstile = new Turnstile(this.#random);
    this.#workload = new Workload(this.#random, options.pool, options.bigChance ?? 0.03);
    this.#processes = Array.from({ length: options.writers ?? 8 }, (_, number) => this.#process(number));
  }

  static async run(options: SimulationOptions): Promise<SimulationReport> {
    const registry = await openTestRegistry(options.pool);
    const simulation = new Simulation(options, registry);
    try {
      if (options.pinned) await simulation.#pin(options.pinned);
      return await simulation.#run();
    } catch (error) {
      const steps = simulation.#tail.join('\n');
      throw new Error(`MESHDOH_SEED=${options.seed}: ${(error as Error).message}\nlast steps:\n${steps}`, {
        cause: error,
      });
    } finally {
      await registry.db.close();
    }
  }

  async #pin(address: string): Promise<void> {
    const entry = serviceEntry('pin', { hosts: ['pin.internal'], resolution: 'STATIC', addresses: [address] });
    await this.#registry.apply(entry);
  }

  async #run(): Promise<SimulationReport> {
    await this.#look();
    while (this.#started < this.#options.operations) await this.#step();
    await this.#drain();
    return { trace: this.#trace.digest('hex').slice(0, 16), outcomes: this.#outcomes };
  }

  #note(step: string): void {
    this.#trace.update(`${step}\n`);
    this.#tail.push(step);
    if (this.#tail.length > 60) this.#tail.shift();
  }

  #process(number: number): Process {
    const process: Process = { number, writer: this.#registry.writer, running: undefined };
    const wait = (label: string) => {
      const { running } = process;
      if (!running) throw new Error(`writer ${number} acts, but has nothing to do`);
      if (++running.passes > MOST_PASSES) throw new Error(`operation ${running.id} does not end`);
      return this.#turnstile.wait(running, `${number} ${label}`);
    };
    process.writer = this.#registry.anotherWriter(this.#faults(process, wait), this.#options.pool, {
      maxAttempts: 1,
      random: this.#random.next,
      sleep: () => wait('pause'),
    });
    return process;
  }

  #faults(process: Process, wait: (label: string) => Promise<void>): Faults {
    return {
      before: async (call) => {
        checkSize(call);
        const { running } = process;
        await wait(labelOfCall(call));
        if (!running || running !== process.running || running.abort.signal.aborted) return undefined;
        return this.#earlyFault(process, running, call);
      },
      after: async (call) => {
        const { running } = process;
        if (!running || call.operation !== 'TransactWriteItems') return undefined;
        await this.#remember(running);
        this.#transactions++;
        return this.#lateFault(process, running);
      },
    };
  }

  #earlyFault(process: Process, running: Running, { operation }: Call): Fault | undefined {
    const random = this.#random;
    if (operation === 'BatchGetItem' && random.chance(0.01)) return { kind: 'unprocessedKeys', processed: 1 };
    if (!random.chance(operation === 'TransactWriteItems' ? 0.1 : 0.015)) return undefined;
    const kind = random.pick(EARLY.filter((one) => one !== 'conflict' || operation !== 'BatchGetItem'));
    this.#note(`${process.number} meets ${kind}`);
    this.#befalls(process, running, kind);
    return { kind };
  }

  #lateFault(process: Process, running: Running): LateFault | undefined {
    if (!this.#random.chance(0.06)) return undefined;
    const kind = this.#random.pick(LATE);
    this.#note(`${process.number} meets ${kind} after its call`);
    this.#befalls(process, running, kind);
    return { kind };
  }

  #befalls(process: Process, running: Running, kind: Fault['kind']): void {
    if (kind === 'timeout') running.hanging = true;
    if (kind !== 'kill') return;
    this.#count('killed');
    running.done = true;
    this.#processes[process.number] = this.#process(process.number);
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  async #entry(key: string): Promise<EntryState> {
    const [namespace = '', name = ''] = key.split('/');
    const { Item } = await this.#registry.client.send(
      new GetItemCommand({ TableName: TABLE, Key: marshalKey(entryItem(namespace, name)), ConsistentRead: true }),
    );
    return Item ? decodeEntry(Item) : NO_ENTRY;
  }

  #versions(key: string): Version<Running>[] {
    const versions = this.#history.get(key) ?? [];
    this.#history.set(key, versions);
    return versions;
  }

  async #remember(by: Running): Promise<void> {
    const state = await this.#entry(by.key);
    const versions = this.#versions(by.key);
    this.#rememberPins(state);
    const before = versions.at(-1)?.stored;
    if (before) this.#rememberPins({ stored: before });
    if (state.stored?.writeId !== before?.writeId) versions.push({ by, stored: state.stored });
  }

  #rememberPins(state: EntryState): void {
    const { pool } = this.#options;
    for (const entry of versionsOf(state)) {
      const { slots, blocks } = pinsOf(pool, claimsOf(entry));
      const inBlocks = [...blocks].flatMap((block) =>
        Array.from({ length: BLOCK_SLOTS }, (_, i) => block * BLOCK_SLOTS + i),
      );
      for (const slot of [...slots, ...inBlocks]) this.#lastPinned.set(`${pool.id}/${slot}`, this.#registry.clock.now);
    }
  }

  async #step(): Promise<void> {
    const random = this.#random;
    this.#registry.clock.now += random.integer(1, 20);
    const idle = this.#processes.filter((process) => !process.running);
    if (random.chance(0.004)) await this.#jump();
    await this.#runOut();
    if (idle.length > 0 && (this.#turnstile.size === 0 || random.chance(0.3))) await this.#start(random.pick(idle));
    else {
      const passed = await this.#turnstile.passOne();
      if (passed) this.#note(passed);
    }
    if (this.#transactions < 20) return;
    this.#transactions = 0;
    await this.#look();
  }

  /** Writers that hang or linger reach their deadlines. */
  async #runOut(): Promise<void> {
    for (const { running } of this.#processes) {
      if (running && this.#random.chance(running.hanging ? 0.1 : 0.0003)) await this.#abort(running);
    }
  }

  async #abort(running: Running): Promise<void> {
    this.#note(`${running.id} runs out of time`);
    running.abort.abort(new Error('deadline'));
    await this.#turnstile.drop(running);
  }

  /** Nobody's deadline is as far away as the end of a tombstone; a process may stop for a minute and go on. */
  async #jump(): Promise<void> {
    const ms = this.#random.pick([5_000, 61_000, 61_000, TOMBSTONE_MS / 2, TOMBSTONE_MS]);
    this.#note(`clock +${ms}`);
    for (const { running } of this.#processes) {
      if (running && (ms > 100_000 || (ms > 10_000 && this.#random.chance(0.5)))) await this.#abort(running);
    }
    this.#registry.clock.now += ms;
  }

  #known(key: string): Known | undefined {
    const stored = this.#history.get(key)?.at(-1)?.stored;
    if (!stored) return undefined;
    const { status: _status, metadata, ...rest } = stored.entry;
    const { name, namespace, labels = {} } = metadata;
    return { entry: { ...rest, metadata: { name, namespace, labels } }, resourceVersion: stored.resourceVersion };
  }

  async #start(process: Process): Promise<void> {
    const operation = this.#workload.next((key) => this.#known(key));
    const key = keyOf(operation);
    const running: Running = {
      id: ++this.#started,
      operation,
      key,
      abort: new AbortController(),
      since: this.#versions(key).length,
      hanging: false,
      passes: 0,
      done: false,
    };
    const hosts = operation.kind === 'apply' ? operation.entry.spec.hosts.length : 0;
    this.#note(
      `${process.number} starts ${running.id}: ${operation.kind} ${key} ${operation.precondition.kind} ${hosts}`,
    );
    process.running = running;
    this.#recent.add(running);
    void this.#perform(process.writer, running)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        running.done = true;
        process.running = undefined;
      });
    await this.#turnstile.quiet();
  }

  async #perform(writer: RegistryWriter, running: Running): Promise<void> {
    const { operation, abort } = running;
    const options = { precondition: operation.precondition };
    try {
      const outcome =
        operation.kind === 'apply'
          ? await writer.apply(operation.entry, options, abort.signal)
          : await writer.remove(operation.namespace, operation.name, options, abort.signal);
      this.#judge(running, outcome);
    } catch (error) {
      if (!(error instanceof RegistryUnavailableError) || !abort.signal.aborted) throw error;
      this.#count('unavailable');
      this.#note(`${running.id} unavailable`);
    }
  }

  #judge(running: Running, outcome: WriteOutcome): void {
    this.#count(outcome.kind === 'rejected' ? outcome.reason : outcome.kind);
    this.#note(`${running.id} ${outcome.kind === 'rejected' ? outcome.message : outcome.kind}`);
    const fault = faultOfOutcome(running, running.operation, outcome, this.#versions(running.key), running.since);
    if (fault) throw new Error(`operation ${running.id} (${running.operation.kind} ${running.key}) ${fault}`);
  }

  #touched(before: Instant, after: Instant): Set<string> {
    const touched = new Set<string>();
    for (const { operation, key } of this.#recent) {
      const [namespace = ''] = key.split('/');
      const desired = operation.kind === 'apply' ? claimsOf(operation.entry).map(({ host }) => host) : [];
      const others = [before.image, after.image].flatMap(({ entries }) => hostsOf(entries.get(key) ?? NO_ENTRY));
      for (const host of [...desired, ...others]) touched.add(`${namespace}/${host}`);
    }
    return touched;
  }

  async #look(): Promise<void> {
    if (this.#failure) throw this.#failure;
    const instant: Instant = { image: await readTable(this.#registry.client), now: this.#registry.clock.now };
    for (const state of instant.image.entries.values()) this.#rememberPins(state);
    const circumstances = { pools: [this.#options.pool], lastPinned: this.#lastPinned, tombstoneMs: TOMBSTONE_MS };
    const before = this.#last ?? instant;
    const faults = [
      ...faultsOf(instant, circumstances),
      ...changeFaults(before, instant, this.#touched(before, instant), circumstances),
    ];
    if (faults.length > 0) throw new Error(faults.slice(0, 8).join('\n'));
    this.#last = instant;
    this.#recent = new Set([...this.#recent].filter(({ done }) => !done));
  }

  /** Everybody stops; whoever comes next finishes or undoes what is half done, and then everything can be taken away. */
  async #drain(): Promise<void> {
    for (const { running } of this.#processes) if (running) await this.#abort(running);
    await this.#look();
    this.#last = undefined;
    this.#registry.clock.now += 61_000;
    for (const [key, state] of (await readTable(this.#registry.client)).entries) {
      if (state.pending) await this.#meet(key, state);
    }
    await this.#look();
    const { entries } = await readTable(this.#registry.client);
    const pending = [...entries].filter(([, state]) => state.pending).map(([key]) => key);
    if (pending.length > 0) throw new Error(`half done for ever: ${pending}`);
    for (const key of entries.keys()) await this.#removeEntry(key);
    this.#last = undefined;
    await this.#look();
    const { hosts, blocks } = await readTable(this.#registry.client);
    const claimed = [...hosts].filter(([, { claims }]) => claims.size > 0).map(([host]) => host);
    if (claimed.length > 0) throw new Error(`claimed without entries: ${claimed}`);
    const pinned = [...blocks].filter(([, block]) => block.pinned.size + block.pinnedWhole.size > 0);
    if (pinned.length > 0) throw new Error(`pinned without entries: ${pinned.map(([key]) => key)}`);
  }

  async #meet(key: string, { pending, stored }: EntryState): Promise<void> {
    const entry = this.#random.chance(0.5) ? (pending?.entry ?? stored?.entry) : stored?.entry;
    if (!entry || this.#random.chance(0.3)) return this.#removeEntry(key);
    const { status: _status, ...rest } = entry;
    await this.#registry.apply({ ...rest, metadata: { ...rest.metadata, labels: { write: 'again' } } });
  }

  async #removeEntry(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    await this.#registry.writer.remove(namespace, name, {}, deadline());
  }
}

function labelOfCall({ operation, input }: Call): string {
  const { pk, sk } = (input.Key ?? {}) as { pk?: { S: string }; sk?: { S: string } };
  return `${operation} ${pk?.S ?? ''} ${sk?.S ?? ''}`;
}

/** What DynamoDB refuses and the embedded engine does not. */
function checkSize({ operation, input }: Call): void {
  if (operation !== 'TransactWriteItems') return;
  for (const item of input.TransactItems as Record<string, Record<string, unknown>>[]) {
    for (const action of Object.values(item)) {
      for (const expression of [action.ConditionExpression, action.UpdateExpression]) {
        const length = String(expression ?? '').length;
        if (length > LONGEST_EXPRESSION)
          throw new Error(`an expression of ${length} characters: ${JSON.stringify(action.Key)}`);
      }
    }
  }
}
