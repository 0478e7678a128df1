/**
 * What runs a function's code in its environment, a thread of its own. Between invocations the thread stands still, as
 * Lambda freezes an environment: no timer fires and no socket is looked at until the next event.
 */
import tls from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';

interface RuntimeData {
  readonly module: string;
  readonly handler: string;
  /** 1 while the environment may run. */
  readonly gate: Int32Array;
  /** Milliseconds that the clocks of this AWS are ahead. */
  readonly clock: Float64Array;
  /** PEM of the authority that upstreams here have their certificates from. */
  readonly ca: string;
}

type Handler = (event: unknown, context: { readonly awsRequestId: string }) => Promise<unknown>;

const { module, handler: name, gate, clock, ca } = workerData as RuntimeData;
const port = parentPort;
if (!port) throw new Error('this runs in a worker thread');

const systemNow = Date.now;
Date.now = () => systemNow() + (clock[0] ?? 0);

tls.setDefaultCACertificates([...tls.getCACertificates('default'), ca]);

let requestId = 'init';

// Lambda's pipe takes a line at once; a worker's own stdout waits for its parent, which a frozen thread never hears.
process.stdout.write = (chunk: string | Uint8Array) => {
  port.postMessage({ kind: 'log', line: String(chunk) });
  return true;
};

function describe(error: unknown): object {
  if (!(error instanceof Error)) return { errorMessage: String(error) };
  return { errorType: error.name, errorMessage: error.message, stackTrace: error.stack?.split('\n') };
}

/** As Lambda's own runtime writes records in the log format JSON. */
function record(level: string, ...what: readonly unknown[]): void {
  const [only] = what;
  const said = what.length === 1 && only instanceof Error ? describe(only) : { message: what.map(String).join(' ') };
  process.stdout.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level, requestId, ...said })}\n`);
}
console.log = (...what) => record('INFO', ...what);
console.info = (...what) => record('INFO', ...what);
console.warn = (...what) => record('WARN', ...what);
console.error = (...what) => record('ERROR', ...what);

/** Shuts the gate before it answers: the next event may open it as soon as the answer is out. */
function answerAndFreeze(message: object): void {
  Atomics.store(gate, 0, 0);
  port?.postMessage(message);
  Atomics.wait(gate, 0, 0);
}

const loading = import(module).then((loaded) => loaded[name] as Handler);
loading.then(
  () => port.postMessage({ kind: 'ready' }),
  (error) => port.postMessage({ kind: 'failed', error: describe(error) }),
);

port.on('message', async (message: { id: string; event: string }) => {
  requestId = message.id;
  let outcome: object;
  try {
    const handler = await loading;
    const result = await handler(JSON.parse(message.event), { awsRequestId: message.id });
    outcome = { kind: 'result', result: JSON.stringify(result) };
  } catch (error) {
    record('ERROR', error);
    outcome = { kind: 'fault', error: describe(error) };
  }
  answerAndFreeze(outcome);
});
