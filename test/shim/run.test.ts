import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createCertificate } from '../support/certificate.ts';
import { answersOf, queryWire } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import { askUdp, Closers, eventually, temporaryFolder } from '../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const MAIN = join(import.meta.dirname, '../../src/shim/main.ts');
const certificate = createCertificate(['127.0.0.1']);

interface Process {
  readonly child: ChildProcess;
  readonly text: () => string;
}

function shim(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Process {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...environment } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
  closers.add(() => child.kill('SIGKILL'));
  return { child, text: () => text };
}

async function exitCode({ child }: Process): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'close');
  return child.exitCode;
}

/** A shim in a process of its own on a free port, its settings in a file. */
async function running(more = '') {
  const doh = await MeshEndpoint.start(certificate);
  closers.add(() => doh.takeAway());
  const folder = await temporaryFolder(closers);
  await writeFile(join(folder, 'ca.pem'), doh.ca);
  const file = join(folder, 'shim.conf');
  const conf = (endpoint: string) =>
    `listen = 127.0.0.1:0\nendpoint = ${endpoint}\nca-file = ${folder}/ca.pem\nstate-dir = ${folder}/state\n` +
    `vips = off\nfallback = none\nmetrics-listen = off\n${more}\n`;
  await writeFile(file, conf(doh.url));
  const process = shim(['run', '--settings', file]);
  await eventually(() => process.text().includes('answering DNS at'), 10_000);
  const port = Number(/answering DNS at 127\.0\.0\.1:(\d+)/.exec(process.text())?.[1]);
  const ask = (qname: string) => askUdp({ address: '127.0.0.1', port }, queryWire(qname));
  return { ...process, doh, file, conf, ask, port };
}

describe('meshdoh-shim run', () => {
  it('answers, and ends well when it is told to', async () => {
    const { child, ask, text } = await running();
    expect(answersOf(await ask('www.example.org'))).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await exitCode({ child, text })).toBe(0);
  });

  it('answers what it has taken before it ends', async () => {
    const { child, ask, doh, text } = await running();
    doh.delayMs = 500;
    const answer = ask('slow.example.org');
    await eventually(() => doh.qnames.includes('slow.example.org'), 5_000);
    child.kill('SIGTERM');
    expect(answersOf(await answer)).toHaveLength(1);
    expect(await exitCode({ child, text })).toBe(0);
  });

  it('reads its settings again on SIGHUP, keeps its sockets, and goes on with the old ones when they are wrong', async () => {
    const { child, ask, text, file, conf } = await running();
    const second = await MeshEndpoint.start(certificate);
    closers.add(() => second.takeAway());
    await writeFile(file, 'endpoint = nonsense\n');
    child.kill('SIGHUP');
    await eventually(() => text().includes('settings not taken over'), 5_000);
    expect(answersOf(await ask('one.example.org'))).toHaveLength(1);
    await writeFile(file, conf(second.url));
    child.kill('SIGHUP');
    await eventually(() => text().includes('settings read again'), 5_000);
    expect(answersOf(await ask('two.example.org'))).toHaveLength(1);
    expect(second.qnames).toEqual(['two.example.org']);
    await writeFile(file, `${conf(second.url)}\ncache-bytes = 1000000\nexempt-user = nobody\n`);
    child.kill('SIGHUP');
    await eventually(() => text().includes('in effect after a restart only: exempt-user, cache-bytes'), 5_000);
  });

  it.each([
    [
      ['run', '--endpoint', 'https://127.0.0.1:9/dns-query', '--ca-file', '/nonexistent'],
      'ca-file /nonexistent: ENOENT',
    ],
    [
      ['run', '--endpoint', 'https://127.0.0.1:9/dns-query', '--ca-file', '/etc/passwd'],
      'ca-file /etc/passwd: there is no',
    ],
    [['run'], '"endpoint" is missing'],
    [['run', '--listen', '0.0.0.0:53', '--fallback', 'x'], 'name each address\n--fallback'],
    [['run', '--token', 'geheim'], '--token-file'],
    [['run', '--token=geheim'], '--token-file'],
    [['fly'], 'known are run'],
    [['run', '--nonsense'], '--nonsense'],
    [['run', '--settings', '/nonexistent'], 'cannot read /nonexistent'],
  ])('refuses %j with a reason', async (args, reason) => {
    const refused = shim(args);
    expect(await exitCode(refused)).toBe(1);
    expect(refused.text()).toContain(reason);
    expect(refused.text()).not.toContain('geheim');
    expect(refused.text()).not.toContain('    at ');
  });

  it('says which address it cannot listen at', async () => {
    const { port } = await running();
    const args = ['run', '--listen', `127.0.0.1:${port}`, '--endpoint', 'https://127.0.0.1:9/dns-query'];
    const folder = await temporaryFolder(closers);
    const second = shim([...args, '--state-dir', folder, '--vips', 'off', '--metrics-listen', 'off']);
    expect(await exitCode(second)).toBe(1);
    expect(second.text()).toContain(`cannot listen at 127.0.0.1:${port}: something else listens there`);
  });
});
