import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateFileError, ensureCertificate, type ServerCertificate } from '../../src/cli/certificate.ts';

const DAY_MS = 24 * 3_600_000;
const NOW = new Date();

const daysLater = (days: number): Date => new Date(NOW.getTime() + days * DAY_MS);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certificate-'));
});

afterEach(() => rm(folder, { recursive: true }));

/** What a client that trusts `ca` alone gets from a server with the certificate: its status, or why it hung up. */
async function reached({ cert, key }: ServerCertificate, ca: string, host: string, at = '127.0.0.1'): Promise<unknown> {
  const server = createServer({ cert, key }, (_, response) => response.end()).listen(0, at);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const target = host.includes(':') ? `[${host}]` : host;
  const lookup = (_: string, __: object, callback: (error: null, addresses: object[]) => void) =>
    callback(null, [{ address: at, family: at === '::1' ? 6 : 4 }]);
  get(`https://${target}:${port}/`, { ca, agent: false, lookup: lookup as never }, ({ statusCode }) =>
    resolve(statusCode),
  ).on('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
  const outcome = await promise;
  server.close();
  return outcome;
}

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function failure(...args: Parameters<typeof ensureCertificate>): Promise<unknown> {
  return ensureCertificate(...args).catch((error: unknown) => error);
}

describe('a server certificate', () => {
  it.each([
    ['localhost', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['mesh.example', '127.0.0.1'],
  ])('is taken for %s by a client that trusts the authority alone', async (host, at) => {
    const certificate = await ensureCertificate(folder, ['mesh.example']);
    expect(await reached(certificate, certificate.ca, host, at)).toBe(200);
  });

  it('is refused for any other name, and by whoever trusts another authority', async () => {
    const certificate = await ensureCertificate(folder, ['mesh.example']);
    expect(await reached(certificate, certificate.ca, 'other.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    const other = await ensureCertificate(join(folder, 'other'), []);
    expect(await reached(certificate, other.ca, 'localhost')).toMatch(/SELF_SIGNED|UNABLE_TO|SIGNATURE/);
  });

  it('is what its files say', async () => {
    const { ca, caPath, cert, certPath, key, keyPath } = await ensureCertificate(folder, []);
    expect([ca, cert, key]).toEqual(
      await Promise.all([caPath, certPath, keyPath].map((path) => readFile(path, 'utf8'))),
    );
  });

  it('lasts 397 days, and its authority 10 years, from a little ago on', async () => {
    const { ca, cert } = await ensureCertificate(folder, [], NOW);
    const days = ({ validFromDate, validToDate }: X509Certificate) =>
      (validToDate.getTime() - validFromDate.getTime()) / DAY_MS;
    expect(days(new X509Certificate(cert))).toBe(397);
    expect(days(new X509Certificate(ca))).toBe(3650);
    expect(new X509Certificate(cert).validFromDate < NOW).toBe(true);
  });

  it('cannot issue, and its authority only to servers, without intermediates', async () => {
    const { ca, cert } = await ensureCertificate(folder, []);
    expect(new X509Certificate(ca).ca).toBe(true);
    expect(new X509Certificate(cert).ca).toBe(false);
    expect(new X509Certificate(cert).keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it.runIf(hasOpenssl())('is valid for openssl in its strict mode', async () => {
    const { caPath, certPath } = await ensureCertificate(folder, ['mesh.example', '192.0.2.7']);
    const verify = (...args: string[]) =>
      execFileSync(
        'openssl',
        ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', caPath, ...args, certPath],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
    for (const host of ['localhost', 'mesh.example']) expect(verify('-verify_hostname', host)).toContain(': OK');
    for (const ip of ['127.0.0.1', '::1', '192.0.2.7']) expect(verify('-verify_ip', ip)).toContain(': OK');
    expect(() => verify('-verify_hostname', 'other.example')).toThrow();
    expect(execFileSync('openssl', ['x509', '-in', caPath, '-noout', '-text'], { encoding: 'utf8' })).toMatch(
      /CA:TRUE, pathlen:0/,
    );
  });
});

describe('the files', () => {
  it('keep the keys to their owner, and nothing else lies about', async () => {
    const fresh = join(folder, 'new', 'state');
    await ensureCertificate(fresh, []);
    expect((await readdir(fresh)).sort()).toEqual(['ca-key.pem', 'ca.pem', 'server-key.pem', 'server.pem']);
    const modes = await Promise.all(
      ['ca-key.pem', 'server-key.pem', '.'].map(async (file) => (await stat(join(fresh, file))).mode & 0o777),
    );
    expect(modes).toEqual([0o600, 0o600, 0o700]);
  });

  it.each([
    ['the same names', ['mesh.example', '192.0.2.7']],
    ['fewer names', []],
    ['names of another case', ['Mesh.Example']],
  ])('are used again for %s', async (_, names) => {
    const first = await ensureCertificate(folder, ['mesh.example', '192.0.2.7']);
    expect(await ensureCertificate(folder, names)).toEqual(first);
  });

  it.each([
    ['a name is missing', ['new.example'], 0],
    ['an address is missing', ['192.0.2.8'], 0],
    ['it is valid for less than 30 days', [], 397 - 29],
    ['it is not valid any more', [], 400],
  ])('change, under the same authority, when %s', async (_, names, days) => {
    const first = await ensureCertificate(folder, [], NOW);
    const second = await ensureCertificate(folder, names, daysLater(days));
    expect(second.ca).toBe(first.ca);
    expect(second.cert).not.toBe(first.cert);
    expect(new X509Certificate(second.cert).verify(new X509Certificate(second.ca).publicKey)).toBe(true);
  });

  it('change when the clock has gone back before the certificate', async () => {
    const { ca, certPath } = await ensureCertificate(folder, [], NOW);
    await rm(certPath);
    const future = await ensureCertificate(folder, [], daysLater(1));
    const present = await ensureCertificate(folder, [], NOW);
    expect(present.ca).toBe(ca);
    expect(present.cert).not.toBe(future.cert);
  });

  it('stay while valid for 30 days', async () => {
    const first = await ensureCertificate(folder, [], NOW);
    expect(await ensureCertificate(folder, [], daysLater(366))).toEqual(first);
  });

  it('never hold a certificate that outlives its authority', async () => {
    const { ca } = await ensureCertificate(folder, [], NOW);
    const late = await ensureCertificate(folder, [], daysLater(3600));
    expect(late.ca).toBe(ca);
    expect(new X509Certificate(late.cert).validToDate).toEqual(new X509Certificate(ca).validToDate);
  });

  it('change altogether when the authority is about to end', async () => {
    const first = await ensureCertificate(folder, [], NOW);
    const last = await ensureCertificate(folder, [], daysLater(3640));
    expect(last.ca).not.toBe(first.ca);
    expect(new X509Certificate(last.cert).verify(new X509Certificate(last.ca).publicKey)).toBe(true);
  });

  it.each([['server.pem'], ['server-key.pem']])('are completed when %s is missing', async (file) => {
    const first = await ensureCertificate(folder, []);
    await rm(join(folder, file));
    const second = await ensureCertificate(folder, []);
    expect(second.ca).toBe(first.ca);
    expect(await reached(second, second.ca, 'localhost')).toBe(200);
  });

  it('are put right when the server key is of another certificate', async () => {
    const first = await ensureCertificate(folder, []);
    const other = await ensureCertificate(join(folder, 'other'), []);
    await writeFile(first.keyPath, other.key);
    const second = await ensureCertificate(folder, []);
    expect(await reached(second, first.ca, 'localhost')).toBe(200);
  });

  it('serve on without the key of the authority, until it is needed', async () => {
    const first = await ensureCertificate(folder, []);
    await rm(join(folder, 'ca-key.pem'));
    expect(await ensureCertificate(folder, [])).toEqual(first);
    const error = await failure(folder, ['new.example']);
    expect(error).toBeInstanceOf(CertificateFileError);
    expect(error).toMatchObject({
      path: join(folder, 'ca-key.pem'),
      message: expect.stringContaining(`delete ${first.caPath}`),
    });
  });

  it.each([
    ['ca.pem', []],
    ['server.pem', []],
    ['server-key.pem', []],
    ['ca-key.pem', ['new.example']],
  ])('are named when damaged: %s', async (file, names) => {
    await ensureCertificate(folder, []);
    const path = join(folder, file);
    for (const damage of ['', 'not PEM', (await readFile(path, 'utf8')).slice(0, 100)]) {
      await writeFile(path, damage);
      const error = await failure(folder, names);
      expect(error).toBeInstanceOf(CertificateFileError);
      expect(error).toMatchObject({ path, message: expect.stringMatching(/^cannot use .*PEM form; delete/) });
    }
  });

  it('are named when the key of the authority is of another one', async () => {
    await ensureCertificate(folder, []);
    await ensureCertificate(join(folder, 'other'), []);
    await writeFile(join(folder, 'ca-key.pem'), await readFile(join(folder, 'other', 'ca-key.pem')));
    expect(await failure(folder, ['new.example'])).toMatchObject({
      message: expect.stringMatching(/ca-key\.pem: it is not the P-256 key of .*ca\.pem; delete/),
    });
  });

  it('are named when they cannot be read or written', async () => {
    await mkdir(join(folder, 'ca.pem'));
    expect(await failure(folder, [])).toMatchObject({ path: join(folder, 'ca.pem') });
    await rm(join(folder, 'ca.pem'), { recursive: true });
    await mkdir(join(folder, 'ca-key.pem'));
    expect(await failure(folder, [])).toMatchObject({ path: join(folder, 'ca-key.pem') });
    expect(await readdir(folder)).toEqual(['ca-key.pem']);
  });
});
