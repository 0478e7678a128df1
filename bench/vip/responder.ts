/** One-byte echo that counts on many connections: `node responder.ts ADDRESS PORT`. */
import { createServer } from 'node:net';

const [address = '', port = ''] = process.argv.slice(2);
createServer((socket) => {
  socket.setNoDelay();
  socket.on('error', () => undefined).pipe(socket);
}).listen({ host: address, port: Number(port), backlog: 1024 }, () => process.stdout.write('ready\n'));
