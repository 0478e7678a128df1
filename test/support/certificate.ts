import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import ipaddr from 'ipaddr.js';

/** PEM texts: an authority to trust, and a server's key and certificate that it signed. */
export interface Certificate {
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

const HOUR_MS = 3_600_000;

/** EC P-256, valid from an hour ago for one day (or as long before, where `expired`), for these DNS names and IP addresses. */
export function createCertificate(
  names: readonly string[] = ['localhost', '127.0.0.1'],
  { expired = false }: { readonly expired?: boolean } = {},
): Certificate {
  const endsAt = expired ? Date.now() - HOUR_MS : Date.now() + 23 * HOUR_MS;
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = 'test authority';
  const ca = signed(authority.privateKey, {
    issuer,
    subject: issuer,
    key: authority.publicKey,
    extension: CA_TRUE,
    endsAt: Date.now() + 23 * HOUR_MS,
  });
  const extension = subjectAltName(names);
  const cert = signed(authority.privateKey, {
    issuer,
    subject: 'test server',
    key: server.publicKey,
    extension,
    endsAt,
  });
  return { ca, cert, key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

interface Contents {
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly extension: Buffer;
  readonly endsAt: number;
}

/** RFC 5280 section 4.1. */
function signed(authority: KeyObject, { issuer, subject, key, extension, endsAt }: Contents): string {
  const contents = sequence(
    explicit(0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.from(Date.now().toString(16).padStart(12, '0'), 'hex')),
    ECDSA_WITH_SHA256,
    commonName(issuer),
    sequence(utcTime(endsAt - 24 * HOUR_MS), utcTime(endsAt)),
    commonName(subject),
    key.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(extension)),
  );
  const signature = sign('sha256', contents, authority);
  const whole = sequence(contents, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.of(0), signature));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;

/** Tag, length in its shortest form, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const long = body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(body.length < 0x80 ? [body.length] : long)]), body]);
}

const sequence = (...contents: readonly Buffer[]): Buffer => der(0x30, ...contents);
const explicit = (tag: number, contents: Buffer): Buffer => der(0xa0 | tag, contents);
const oid = (hex: string): Buffer => der(OBJECT_IDENTIFIER, Buffer.from(hex, 'hex'));
const utcTime = (ms: number): Buffer =>
  der(UTC_TIME, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
const commonName = (text: string): Buffer =>
  sequence(der(0x31, sequence(oid('550403'), der(UTF8_STRING, Buffer.from(text)))));

/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'));
/** basicConstraints, critical, of an authority. */
const CA_TRUE = sequence(
  oid('551d13'),
  Buffer.from('0101ff', 'hex'),
  der(OCTET_STRING, sequence(Buffer.from('0101ff', 'hex'))),
);

function subjectAltName(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    ipaddr.isValid(name) ? der(0x87, Buffer.from(ipaddr.parse(name).toByteArray())) : der(0x82, Buffer.from(name)),
  );
  return sequence(oid('551d11'), der(OCTET_STRING, sequence(...entries)));
}
