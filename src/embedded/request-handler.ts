import { Connection, type Execute } from './connection.ts';
import type { Faults } from './faults.ts';
import type { WireRequest, WireResponse } from './wire.ts';

/** What the SDK needs in place of its HTTP client: `new DynamoDBClient({ requestHandler })`. */
export interface RequestHandler {
  readonly metadata: { readonly handlerProtocol: string };
  /** Rejects with an AbortError as soon as `abortSignal` fires; a call being executed goes on unseen. */
  handle(request: WireRequest, options?: { readonly abortSignal?: unknown }): Promise<{ response: WireResponse }>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

/** A handler for one client. `onCall` sees every call that arrives, refused ones included. */
export function createRequestHandler(
  execute: Execute,
  onCall: (operation: string) => void,
  faults: Faults = {},
): RequestHandler {
  const connection = new Connection(execute, onCall, faults);
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request, { abortSignal } = {}) {
      const signal = abortSignal instanceof AbortSignal ? abortSignal : new AbortController().signal;
      return { response: await untilAborted(signal, () => connection.answer(request, signal)) };
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(abortError(signal));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([aborted.promise, work()]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The error of the SDK's own HTTP handler. */
function abortError(signal: AbortSignal): Error {
  return Object.assign(new Error('Request aborted', { cause: signal.reason }), { name: 'AbortError' });
}
