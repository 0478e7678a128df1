import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { CommandFailure } from './failure.ts';
import { type Issued, issueAuthority, issueServerCertificate } from './issue-certificate.ts';

/** What a TLS server needs, and what its clients have to trust; all PEM. */
export interface ServerCertificate {
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A file in the folder cannot be used; deleting what the message says brings a new one. */
export class CertificateFileError extends CommandFailure {
  override readonly name = 'CertificateFileError';
  readonly path: string;

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`cannot use ${path}: ${problem}`, options);
    this.path = path;
  }
}

/** A pair of files; the key is written first, so that a certificate never waits for its key. */
interface Pair {
  readonly certPath: string;
  readonly keyPath: string;
}

const RENEWAL_MS = 30 * 24 * 3_600_000;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];

/**
 * A server certificate for `names` and for loopback, from a certificate authority of its own in `folder`. Both are
 * kept while they are valid for 30 more days; a certificate that lacks a name is issued anew by the same authority.
 *
 * @throws CertificateFileError naming the file that cannot be used.
 */
export async function ensureCertificate(
  folder: string,
  names: readonly string[],
  now = new Date(),
): Promise<ServerCertificate> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = { certPath: join(folder, 'ca.pem'), keyPath: join(folder, 'ca-key.pem') };
  const server = { certPath: join(folder, 'server.pem'), keyPath: join(folder, 'server-key.pem') };
  const wanted = [...new Set([...LOOPBACK_NAMES, ...names])];
  const ca = (await keptAuthority(authority, now)) ?? (await writePair(authority, await issueAuthority(now))).cert;
  const issued =
    (await keptCertificate(server, ca, wanted, now)) ??
    (await writePair(server, await issueServerCertificate(await signer(authority, ca), wanted, now)));
  return { caPath: authority.certPath, ca, ...server, ...issued };
}

async function keptAuthority({ certPath }: Pair, now: Date): Promise<string | undefined> {
  const text = await textOf(certPath);
  if (text === undefined) return undefined;
  return isCurrent(parseCertificate(certPath, text), now) ? text : undefined;
}

/** The authority with its key, which is needed only to issue. */
async function signer({ certPath, keyPath }: Pair, cert: string): Promise<Issued> {
  const key = await textOf(keyPath);
  const remedy = `delete ${certPath} to get a new authority, which all clients then have to trust`;
  if (key === undefined)
    throw new CertificateFileError(keyPath, `there is no such file, and the server needs a new certificate; ${remedy}`);
  const parsed = parseKey(keyPath, key, remedy);
  if (!new X509Certificate(cert).checkPrivateKey(parsed) || !isP256(parsed)) {
    throw new CertificateFileError(keyPath, `it is not the P-256 key of ${certPath}; ${remedy}`);
  }
  return { cert, key };
}

async function keptCertificate(
  { certPath, keyPath }: Pair,
  ca: string,
  names: readonly string[],
  now: Date,
): Promise<Issued | undefined> {
  const [cert, key] = [await textOf(certPath), await textOf(keyPath)];
  if (cert === undefined || key === undefined) return undefined;
  const certificate = parseCertificate(certPath, cert);
  const isOurs = certificate.verify(new X509Certificate(ca).publicKey);
  const isWhole = certificate.checkPrivateKey(parseKey(keyPath, key, 'delete it to get a new one'));
  return isOurs && isWhole && isCurrent(certificate, now) && covers(certificate, names) ? { cert, key } : undefined;
}

const isCurrent = ({ validFromDate, validToDate }: X509Certificate, now: Date): boolean =>
  validFromDate <= now && validToDate.getTime() - now.getTime() >= RENEWAL_MS;

const covers = (certificate: X509Certificate, names: readonly string[]): boolean =>
  names.every((name) => (isIP(name) > 0 ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);

const isP256 = ({ asymmetricKeyDetails }: KeyObject): boolean => asymmetricKeyDetails?.namedCurve === 'prime256v1';

function parseCertificate(path: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new CertificateFileError(path, 'it is not a certificate in PEM form; delete it to get a new one', { cause });
  }
}

function parseKey(path: string, text: string, remedy: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new CertificateFileError(path, `it is not a private key in PEM form; ${remedy}`, { cause });
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CertificateFileError(path, (cause as Error).message, { cause });
  }
}

async function writePair({ certPath, keyPath }: Pair, issued: Issued): Promise<Issued> {
  await replaceFile(keyPath, issued.key, 0o600);
  await replaceFile(certPath, issued.cert, 0o644);
  return issued;
}

/** Whoever reads the file meanwhile gets all of the old or all of the new one. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, text, { mode, flag: 'wx' });
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new CertificateFileError(path, (cause as Error).message, { cause });
  }
}
