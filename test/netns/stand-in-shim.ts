/**
 * A shim that knows one record, so that a test of the capture sees who answered: `whoami.test TXT` is "shim" here.
 * Settings as JSON in the first argument. Tells a service manager that it is ready, and while it answers.
 */
import { execFile } from 'node:child_process';
import { canaryAnswer } from '../../src/shim/capture/canary.ts';
import { type CaptureSettings, createCapture, type ListenAddress } from '../../src/shim/capture/capture.ts';
import { selfCheck } from '../../src/shim/capture/self-check.ts';
import { listenTcp } from '../../src/shim/tcp-listener.ts';
import { listenUdp } from '../../src/shim/udp-listener.ts';
import { decoded, name, responseWire } from '../support/dns.ts';

const settings = JSON.parse(process.argv[2] ?? '') as CaptureSettings;

const exchange = (wire: Buffer): Promise<Buffer> => {
  const canary = canaryAnswer(wire);
  if (canary !== undefined) return Promise.resolve(canary);
  const query = decoded(wire);
  const whoami = query.question?.qname === 'whoami.test' && query.question.qtype === 16;
  const answers = whoami ? [{ owner: name('whoami.test'), ttl: 0, type: 'TXT' as const, text: ['shim'] }] : [];
  return Promise.resolve(responseWire(query, { rcode: whoami ? 0 : 3, answers }));
};

async function listen({ address, port }: ListenAddress) {
  const options = { address, port, exchange };
  const listeners = [await listenUdp(options), await listenTcp({ ...options, maxConnections: 10_000 })];
  return { close: async () => void (await Promise.all(listeners.map((one) => one.close()))) };
}

const log = (line: string): void => void process.stdout.write(`${line}\n`);
const notify = (text: string): void => {
  if (process.env.NOTIFY_SOCKET !== undefined) execFile('systemd-notify', [text], () => undefined);
};

const listeners = await Promise.all(settings.listen.map(listen));
const answers = () => selfCheck(settings.listen);
const capture = createCapture(settings, { selfCheck: answers, listen, log });
await capture.start();
log(`ready: ${JSON.stringify(capture.state())}`);
notify('READY=1');
const watchdog = setInterval(() => void answers().then((ok) => ok && notify('WATCHDOG=1')), 1000);

process.once('SIGTERM', async () => {
  clearInterval(watchdog);
  await capture.stop();
  await Promise.all(listeners.map((one) => one.close()));
  process.exit(0);
});
