/** The plain way in user space, for comparison: `node node-proxy.ts LISTEN-ADDRESS PORT TARGET-ADDRESS PORT`. */
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

const [address = '', port = '', target = '', targetPort = ''] = process.argv.slice(2);
createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ host: target, port: Number(targetPort), allowHalfOpen: true });
  client.setNoDelay();
  server.setNoDelay();
  pipeline(client, server, () => undefined);
  pipeline(server, client, () => undefined);
}).listen({ host: address, port: Number(port), backlog: 1024 }, () => process.stdout.write('ready\n'));
