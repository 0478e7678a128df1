import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { SocketAddress } from '../../src/shim/socket-address.ts';
import { framed } from '../../src/shim/tcp-frames.ts';
import { createCertificate } from '../support/certificate.ts';
import { message, name, queryWire } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import { answersBySource, Closers, meshTable, type RunningShim, startShim, vipHost } from '../support/running-shim.ts';
import { mutate, type Seeded, seeded } from '../support/seeded.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const SEED = 20_261_124;
const DATAGRAMS = 100_000;
const STREAMS = 1_000;
const QUERIES_IN_STREAM = 20;
/** Sent before the event loop gets a turn to answer: fewer than it takes in a turn, so that hardly one is lost unseen. */
const BURST = 25;

/** Names that are few, so that what remains valid is answered from the cache. */
function anyQuery(random: Seeded): Buffer {
  const qname = random.oneOf([
    'a.example',
    'one.internal',
    'localhost',
    'x.y.z.example',
    'b.invalid',
    '_dmarc.a.example',
  ]);
  const type = random.oneOf(['A', 'AAAA', 'TXT', 'ANY', 'SRV', 'HTTPS', 'PTR']);
  return queryWire(qname, type, {
    id: random.below(65_536),
    ...(random.below(2) === 0 && { edns: { udpSize: random.oneOf([0, 512, 1232, 4096, 65_535]) } }),
    padded: random.below(4) === 0,
    clientSubnet: random.below(4) === 0,
  });
}

async function sendDatagrams({ address, port }: SocketAddress, random: Seeded): Promise<void> {
  const socket = createSocket('udp4');
  closers.add(() => socket.close());
  socket.on('message', (answer) => expect(answer.length).toBeGreaterThanOrEqual(12));
  socket.connect(port, address);
  await once(socket, 'connect');
  for (let sent = 0; sent < DATAGRAMS; sent += BURST) {
    for (let n = 0; n < BURST; n++) socket.send(mutate(random, anyQuery(random)), () => undefined);
    await turn();
  }
}

async function sendStreams({ address: host, port }: SocketAddress, random: Seeded): Promise<void> {
  for (let n = 0; n < STREAMS; n++) {
    const socket = connect({ host, port }).on('error', () => undefined);
    const whole = Buffer.concat(
      Array.from({ length: QUERIES_IN_STREAM }, () => framed(mutate(random, anyQuery(random)))),
    );
    const stream = random.below(3) === 0 ? mutate(random, whole) : whole;
    const cut = random.below(stream.length + 1);
    socket.write(stream.subarray(0, cut));
    await turn();
    if (random.below(2) === 0) socket.end(stream.subarray(cut));
    else socket.resetAndDestroy();
    socket.resume();
  }
}

/** A datagram that is lost in the flood is sent again, as every stub resolver does. */
async function askAgain(ask: () => Promise<Buffer>, tries = 4): Promise<Buffer> {
  for (let left = tries; left > 1; left--) {
    const answer = await Promise.race([ask().catch(() => undefined), pause(1_000, undefined)]);
    if (answer !== undefined) return answer;
  }
  return ask();
}

/** Asks for names of its own over both transports until told to stop, and checks every answer. */
async function behave({ ask, askTcp }: RunningShim, isOver: () => boolean): Promise<number> {
  let asked = 0;
  while (!isOver() || asked < 20) {
    const qname = `valid-${asked % 40}.example`;
    const answer = asked % 3 === 0 ? await askTcp(qname) : await askAgain(() => ask(qname));
    const { answers, questions, id } = message(answer);
    expect([id, questions[0]?.name, answers.map(({ data }) => data)]).toEqual([4711, qname, [`192.0.2.${asked % 40}`]]);
    asked++;
  }
  return asked;
}

it('mutated datagrams and streams crash nothing, and mislead no client that behaves', async () => {
  const doh = await MeshEndpoint.start(createCertificate(['127.0.0.1']));
  closers.add(() => doh.takeAway());
  doh.table = meshTable([vipHost('one.internal', '240.240.1.1')]);
  doh.respond = ({ question }) => {
    const [, n = '250'] = /^valid-(\d+)\.example$/.exec(question?.qname ?? '') ?? [];
    return { answers: [{ owner: question?.qname ?? name('.'), ttl: 300, type: 'A', address: `192.0.2.${n}` }] };
  };
  const faults: unknown[] = [];
  const onFault = (error: unknown) => faults.push(error);
  process.on('unhandledRejection', onFault);
  closers.add(() => process.off('unhandledRejection', onFault));
  const running = await startShim(closers, { endpoints: [doh], conf: 'fallback = none' });
  const [at] = running.shim.addresses;
  if (at === undefined) throw new Error('no address');
  let over = false;
  const behaving = behave(running, () => over);
  await Promise.all([sendDatagrams(at, seeded(SEED)), sendStreams(at, seeded(SEED + 1))]);
  over = true;
  expect(await behaving).toBeGreaterThanOrEqual(20);
  expect(faults).toEqual([]);
  const seen = Object.values(answersBySource(running.shim)).reduce((sum, count) => sum + count);
  expect(seen).toBeGreaterThan(DATAGRAMS / 4);
  expect(await running.shim.selfCheck()).toBe(true);
}, 60_000);
