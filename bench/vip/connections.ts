/**
 * Opens connections one after the other, each with one octet there and back: `node connections.ts ADDRESS PORT CLIENTS
 * SECONDS`. Prints how many a second, and the microseconds until the octet was back at the median, as JSON.
 */
import { connect } from 'node:net';
import { median } from '../measure/report.ts';

const [address = '', port = '', clients = '', seconds = ''] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1000;
const latencies: number[] = [];
let failed = 0;

function once(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = performance.now();
  const socket = connect({ host: address, port: Number(port), noDelay: true }, () => socket.write('x'));
  socket
    .on('data', () => {
      latencies.push((performance.now() - begun) * 1000);
      socket.destroy();
    })
    .on('error', () => failed++)
    .on('close', () => resolve());
  return promise;
}

async function client(): Promise<void> {
  while (performance.now() < end) await once();
}

await Promise.all(Array.from({ length: Number(clients) }, client));
process.stdout.write(
  `${JSON.stringify({ perSecond: latencies.length / Number(seconds), microseconds: median(latencies), failed })}\n`,
);
