import { setTimeout as sleep } from 'node:timers/promises';
import type { WireObject } from './dynalite-operations.ts';
import { type Call, type Fault, type Faults, refusalOf, splitKeys } from './faults.ts';
import { parseRequest, respond, type WireRequest, type WireResponse } from './wire.ts';

/** Executes one operation; rejects with a ServiceError where DynamoDB refuses. */
export type Execute = (operation: string, input: WireObject) => Promise<WireObject>;

/** One client's way to the engine, through its faults. `onCall` sees every call that arrives. */
export class Connection {
  readonly #execute: Execute;
  readonly #onCall: (operation: string) => void;
  readonly #faults: Faults;
  #calls = 0;
  #isDead = false;

  constructor(execute: Execute, onCall: (operation: string) => void, faults: Faults) {
    this.#execute = execute;
    this.#onCall = onCall;
    this.#faults = faults;
  }

  async answer(request: WireRequest, signal: AbortSignal): Promise<WireResponse> {
    if (this.#isDead) return never();
    const outcome = await settle(() => respond(() => this.#receive(request, signal)));
    return this.#isDead ? never() : outcome();
  }

  async #receive(request: WireRequest, signal: AbortSignal): Promise<WireObject> {
    return this.#call({ ...parseRequest(request), n: ++this.#calls }, signal);
  }

  async #call(call: Call, signal: AbortSignal): Promise<WireObject> {
    this.#onCall(call.operation);
    const fault = await this.#faults.before?.(call);
    if (this.#isDead || signal.aborted) return never();
    if (fault && fault.kind !== 'unprocessedKeys') return this.#fail(fault, call);
    const outcome = await settle(() => (fault ? this.#executePart(call, fault.processed) : this.#executeWhole(call)));
    const late = await this.#faults.after?.(call);
    return late ? this.#fail(late, call) : outcome();
  }

  #executeWhole({ operation, input }: Call): Promise<WireObject> {
    return this.#execute(operation, input);
  }

  async #executePart({ operation, input }: Call, processed: number): Promise<WireObject> {
    const { first, rest } = splitKeys(input, processed);
    const isEmpty = Object.keys(first.RequestItems as object).length === 0;
    const output = isEmpty ? { Responses: {} } : await this.#execute(operation, first);
    return { ...output, UnprocessedKeys: rest };
  }

  async #fail(fault: Exclude<Fault, { kind: 'unprocessedKeys' }>, call: Call): Promise<never> {
    switch (fault.kind) {
      case 'kill':
        this.#isDead = true;
        return never();
      case 'timeout':
        if (fault.afterMs === undefined) return never();
        await sleep(fault.afterMs);
        throw Object.assign(new Error(`No answer within ${fault.afterMs} ms`), { name: 'TimeoutError' });
      case 'lostConnection':
        throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      default:
        throw refusalOf(fault, call);
    }
  }
}

/** The outcome of a call, to be looked at later. */
async function settle<T>(call: () => Promise<T>): Promise<() => T> {
  try {
    const value = await call();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Garbage once its caller has stopped waiting. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
