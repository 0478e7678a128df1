import { createPrivateKey, KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, as PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** The only kind of key made, and taken from a certificate authority. */
const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AUTHORITY_MS = 10 * 365 * DAY_MS;
/** The most that the CA/Browser Forum lets a server certificate last is 398 days. */
const SERVER_MS = 397 * DAY_MS;

/** Loaded when there is something to issue, which is hardly ever; after the API that the library's injector needs. */
async function loadX509() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

const newKeys = () => webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);

const keyText = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();

/** From an hour ago, so that a client whose clock is behind takes it as well. */
function validity(now: Date, lastsMs: number): { notBefore: Date; notAfter: Date } {
  const start = Math.floor((now.getTime() - HOUR_MS) / 1000) * 1000;
  return { notBefore: new Date(start), notAfter: new Date(start + lastsMs) };
}

/** A certificate authority for TLS servers, without intermediates, valid for 10 years. */
export async function issueAuthority(now: Date): Promise<Issued> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=meshdoh CA',
    keys,
    ...validity(now, AUTHORITY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: keyText(keys.privateKey) };
}

/** A certificate for a TLS server with these DNS names and IP addresses, valid for 397 days or as long as the authority. */
export async function issueServerCertificate(authority: Issued, names: readonly string[], now: Date): Promise<Issued> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(authority.cert);
  const { notBefore, notAfter } = validity(now, SERVER_MS);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=meshdoh',
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(authority.key).toCryptoKey(EC_P256, false, ['sign']),
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), new X509Certificate(authority.cert).validToDate.getTime())),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) > 0 ? ('ip' as const) : ('dns' as const), value: name })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: keyText(keys.privateKey) };
}
