import type { PartialView } from '../table/view-fields.ts';

/** `client` tokens ask, as the view that they name; `admin` tokens administer. */
export type TokenKind = 'client' | 'admin';

/** What is kept of a token besides its hash. */
export interface TokenRecord {
  /** The first twelve hexadecimal digits of its SHA-256. */
  readonly id: string;
  readonly kind: TokenKind;
  readonly label: string;
  /** What differs from the view of the settings. */
  readonly view: PartialView;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339; without it the token lives until it is revoked. */
  readonly expiresAt?: string;
}

/** What credentials are looked up by. Rejects when the store is out of reach. */
export interface TokenReader {
  bySha256(sha256: string, signal: AbortSignal): Promise<TokenRecord | undefined>;
}

/** Tokens from an administrator's side. @throws RegistryUnavailableError when the store is out of reach. */
export interface TokenStore {
  add(sha256: string, record: TokenRecord, signal: AbortSignal): Promise<void>;
  /** Sorted by creation, then id. */
  list(signal: AbortSignal): Promise<readonly TokenRecord[]>;
  /** The SHA-256 of what was revoked; undefined when there is no such token. */
  revoke(id: string, signal: AbortSignal): Promise<string | undefined>;
}
