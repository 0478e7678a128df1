/**
 * Says who it is, over TCP and UDP: `node echo-server.ts PORT NAME=ADDRESS…`. Each answer is "NAME from SOURCE"; a TCP
 * connection stays open and answers every line.
 */
import { createSocket } from 'node:dgram';
import { createServer, isIPv6 } from 'node:net';

const [port = '', ...servers] = process.argv.slice(2);

for (const server of servers) {
  const [name, address = ''] = server.split('=');
  createServer((socket) => {
    const { remoteAddress } = socket;
    socket.on('data', () => socket.write(`${name} from ${remoteAddress}\n`)).on('error', () => undefined);
  }).listen(Number(port), address);
  const udp = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  udp.on('message', (_, from) => udp.send(`${name} from ${from.address}\n`, from.port, from.address));
  udp.bind(Number(port), address);
}
process.stdout.write('ready\n');
