import { createSocket } from 'node:dgram';
import { connect } from 'node:http2';
import { parseName } from '../../src/dns/name.ts';
import { encodeQuery } from '../../src/dns/query.ts';
import { percentile } from '../measure/report.ts';
import { ZONE } from './zone.ts';

// At a fixed rate, each query timed from when it was due:
//   node latency.ts PORT PER_SECOND SECONDS            over UDP
//   node latency.ts doh:PORT PER_SECOND SECONDS        over DoH, straight to the endpoint
const [target = '', rate = '', seconds = ''] = process.argv.slice(2);
const count = Number(rate) * Number(seconds);
const times = new Map<number, number>();
const took: number[] = [];

const queryOf = (id: number): Buffer => {
  const qname = parseName(`l${id}-${process.pid}.${ZONE}`);
  if (qname === undefined) throw new Error('not a name');
  return encodeQuery({ qname, qtype: 1, id: id & 0xffff });
};

const onAnswer = (id: number): void => {
  const due = times.get(id);
  if (due === undefined) return;
  times.delete(id);
  took.push((performance.now() - due) * 1000);
};

function udpSender(port: number): (id: number) => void {
  const socket = createSocket('udp4');
  socket.on('message', (response) => onAnswer(response.readUInt16BE(0)));
  return (id) => socket.send(queryOf(id), port, '127.0.0.1');
}

function dohSender(port: number): (id: number) => void {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  return (id) => {
    const headers = { ':method': 'POST', ':path': '/dns-query', 'content-type': 'application/dns-message' };
    const stream = session.request(headers);
    stream.on('end', () => onAnswer(id)).resume();
    stream.end(queryOf(id));
  };
}

const send = target.startsWith('doh:') ? dohSender(Number(target.slice(4))) : udpSender(Number(target));
const started = performance.now() + 200;
let next = 0;

/** The core of the load is ours alone: a timer would send in bursts. */
function sendDue(): void {
  for (; next < count; next++) {
    const due = started + (next * 1000) / Number(rate);
    if (due > performance.now()) {
      setImmediate(sendDue);
      return;
    }
    times.set(next & 0xffff, due);
    send(next & 0xffff);
  }
  setTimeout(() => {
    const result = { errors: count - took.length, p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
    process.stdout.write(JSON.stringify(result), () => process.exit());
  }, 1_000);
}

sendDue();
