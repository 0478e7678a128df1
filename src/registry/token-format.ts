import { hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * `mdh_`, 32 characters of secret (190 bits) and 6 of checksum: what was mistyped, cut off or made up at random is
 * told from a token without looking it up. A path segment and a bearer token (RFC 6750 section 2.1) can carry it.
 */
const TOKEN = /^mdh_[0-9A-Za-z]{38}$/;
const PREFIX = 'mdh_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_LENGTH = 32;
const CHECKSUM_LENGTH = 6;
const ID_LENGTH = 12;

/** CRC-32 in base 62: it guards against accidents, the secret against guesses. */
function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < CHECKSUM_LENGTH; place++) {
    digits = `${ALPHABET[rest % ALPHABET.length]}${digits}`;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return digits;
}

export function makeToken(): string {
  const secret = Array.from({ length: SECRET_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return `${PREFIX}${secret}${checksumOf(PREFIX + secret)}`;
}

/** Whether the text could be a token; that it is one is for the registry to say. */
export const isTokenShaped = (text: string): boolean =>
  TOKEN.test(text) && checksumOf(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);

/** What is kept of a token. Its secret is too long to be guessed from it. */
export const tokenHash = (token: string): string => hash('sha256', token, 'hex');

/** By which an administrator names a token. */
export const tokenIdOf = (sha256: string): string => sha256.slice(0, ID_LENGTH);

export const isTokenId = (text: string): boolean => /^[0-9a-f]{12}$/.test(text);
