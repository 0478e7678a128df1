/**
 * Queries over HTTP/2 and TLS at a fixed rate, whether answers come or not; a query's latency counts from the instant
 * it was due, so that a server that stalls is charged for all it kept waiting. Frames are written and read here,
 * because an HTTP/2 library would cost more than the servers that are measured.
 * Arguments: port, queries per second, seconds. Prints one line of JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { percentile } from '../measure/report.ts';
import { TARGETS } from './zone.ts';

/** RFC 9113 section 6. */
const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const ACK = 0x1;
const HEADER_OCTETS = 9;

const CONNECTIONS = 8;
/** What every server allows on a connection. */
const MOST_STREAMS = 90;
const WARM_UP_SECONDS = 0.3;
const DRAIN_MS = 300;

const [port = 0, rate = 1000, seconds = 2] = process.argv.slice(2).map(Number);

function frame(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  return Buffer.concat([header, payload]);
}

/** RFC 7541 section 5.2, for texts of up to 126 octets. */
const literal = (text: string): Buffer => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);

/** GET, https, then `:path`, `:authority` and `accept` as literals without indexing (RFC 7541, appendix A). */
const requests = TARGETS.map((target) =>
  frame(
    FRAME.headers,
    END_STREAM | END_HEADERS,
    Buffer.concat([
      Buffer.of(0x82, 0x87),
      Buffer.concat([Buffer.of(0x04), literal(target)]),
      Buffer.concat([Buffer.of(0x01), literal(`127.0.0.1:${port}`)]),
      Buffer.concat([Buffer.of(0x0f, 0x04), literal('application/dns-message')]),
    ]),
  ),
);

/** No push, and windows that never close. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FRAME.settings, 0, Buffer.from('000200000000' + '00047fffffff', 'hex')),
  frame(FRAME.windowUpdate, 0, Buffer.from('7fff0000', 'hex')),
]);

const latencies: number[] = [];
let errors = 0;
/** Queries that were due before it warmed up the server, and count for nothing. */
let measuredFrom = Number.POSITIVE_INFINITY;

/** `:status: 200` is octet 0x88; the encoder may announce the size of its table before (RFC 7541 section 6.3). */
function isOk(block: Buffer): boolean {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) at++;
  return block[at] === 0x88;
}

class Connection {
  readonly #socket: tls.TLSSocket;
  readonly #due = new Map<number, number>();
  #nextStream = 1;
  #unread: Buffer = Buffer.alloc(0);
  #unsent: Buffer[] = [];

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true).on('data', (octets) => this.#read(octets));
    socket.on('error', () => errors++).on('end', () => errors++);
    socket.write(PREFACE);
  }

  static async open(): Promise<Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const to = { host: '127.0.0.1', port, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const socket = tls.connect(to, resolve).once('error', reject);
    await promise;
    return new Connection(socket);
  }

  get isFull(): boolean {
    return this.#due.size >= MOST_STREAMS;
  }

  ask(request: Buffer, dueAt: number): void {
    const copy = Buffer.from(request);
    copy.writeUInt32BE(this.#nextStream, 5);
    this.#due.set(this.#nextStream, dueAt);
    this.#nextStream += 2;
    this.#unsent.push(copy);
  }

  flush(): void {
    if (this.#unsent.length === 0) return;
    this.#socket.write(Buffer.concat(this.#unsent));
    this.#unsent = [];
  }

  #read(received: Buffer): void {
    const octets = this.#unread.length > 0 ? Buffer.concat([this.#unread, received]) : received;
    let at = 0;
    while (octets.length - at >= HEADER_OCTETS) {
      const end = at + HEADER_OCTETS + octets.readUIntBE(at, 3);
      if (end > octets.length) break;
      this.#receive(octets.subarray(at, end));
      at = end;
    }
    this.#unread = octets.subarray(at);
  }

  #receive(received: Buffer): void {
    const [type, flags = 0] = [received[3], received[4]];
    const stream = received.readUInt32BE(5) & 0x7fffffff;
    if (type === FRAME.headers && !isOk(received.subarray(HEADER_OCTETS))) errors++;
    if (type === FRAME.reset || type === FRAME.goAway) errors++;
    if ((type === FRAME.data || type === FRAME.headers) && flags & END_STREAM) this.#finish(stream);
    if (type === FRAME.reset) this.#due.delete(stream);
    if (type === FRAME.settings && !(flags & ACK)) this.#unsent.push(frame(FRAME.settings, ACK, Buffer.alloc(0)));
    if (type === FRAME.ping && !(flags & ACK))
      this.#unsent.push(frame(FRAME.ping, ACK, received.subarray(HEADER_OCTETS)));
  }

  #finish(stream: number): void {
    const dueAt = this.#due.get(stream);
    this.#due.delete(stream);
    if (dueAt !== undefined && dueAt >= measuredFrom) latencies.push(performance.now() - dueAt);
  }

  close(): number {
    const unanswered = this.#due.size;
    this.#socket.removeAllListeners('end').destroy();
    return unanswered;
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const connections = await Promise.all(Array.from({ length: CONNECTIONS }, Connection.open));
await sleep(50);
const started = performance.now();
measuredFrom = started + WARM_UP_SECONDS * 1000;
const total = Math.floor(rate * (WARM_UP_SECONDS + seconds));
let sent = 0;
while (sent < total) {
  const elapsed = performance.now() - started;
  // A server that is behind by every stream it allows is asked no faster: its queries wait, and their time counts.
  if (elapsed > (WARM_UP_SECONDS + seconds) * 2000) break;
  const due = Math.min(total, Math.floor((elapsed * rate) / 1000) + 1);
  while (sent < due) {
    const turn = sent;
    const free = connections.findIndex((_, i) => !connections[(turn + i) % CONNECTIONS]?.isFull);
    if (free === -1) break;
    const request = requests[sent % requests.length];
    if (request) connections[(turn + free) % CONNECTIONS]?.ask(request, started + (sent * 1000) / rate);
    sent++;
  }
  for (const connection of connections) connection.flush();
  await nextTurn();
}
await sleep(DRAIN_MS);
for (const connection of connections) connection.flush();
const unanswered = connections.reduce((sum, connection) => sum + connection.close(), 0);
const microseconds = (share: number) => percentile(latencies, share) * 1000;
process.stdout.write(
  `${JSON.stringify({
    answered: latencies.length,
    errors: errors + unanswered + (total - sent),
    p50: microseconds(0.5),
    p99: microseconds(0.99),
  })}\n`,
);
process.exit(0);
