import { createSocket } from 'node:dgram';

// What Node can do at most with datagrams: the query comes back with its QR bit set.
const socket = createSocket('udp4');
socket.on('message', (query, { port, address }) => {
  query[2] = (query[2] ?? 0) | 0x80;
  socket.send(query, port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');
