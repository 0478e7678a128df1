import { RegistryUnavailableError } from '../registry/errors.ts';
import { isTokenShaped, tokenHash } from '../registry/token-format.ts';
import type { TokenKind, TokenReader, TokenRecord } from '../registry/tokens.ts';
import type { View } from '../table/view.ts';
import { CredentialLookup, type Looked, type LookupOptions } from './credential-lookup.ts';
import type { ClientCredential, Credentials } from './credentials.ts';
import { bearerToken } from './local-credentials.ts';
import { whenKnown } from './message.ts';

/** A token as it is used: its view whole. */
export interface KnownToken {
  readonly kind: TokenKind;
  readonly view: View;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export type TokenLookup = CredentialLookup<KnownToken>;

const knownToken = ({ kind, view, expiresAt }: TokenRecord, settingsView: View): KnownToken => ({
  kind,
  view: kind === 'admin' ? settingsView : { ...settingsView, ...view },
  expiresAt: expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
});

/** Tokens by their SHA-256; `view` is that of the settings. */
export const tokenLookup = (tokens: TokenReader, view: View, options: LookupOptions): TokenLookup =>
  new CredentialLookup(async (sha256, signal) => {
    const record = await tokens.bySha256(sha256, signal);
    return record && knownToken(record, view);
  }, options);

const ABSENT: Looked<never> = { state: 'absent' };

/**
 * Whoever `base` lets in, and the owners of tokens: a client's in the path or as bearer token, an administrator's as
 * bearer token only, since paths are logged. What cannot be a token is told so without a look.
 */
export function tokenCredentials(base: Credentials, tokens: TokenLookup, now: () => number = Date.now): Credentials {
  function look(token: string | undefined): Looked<KnownToken> | Promise<Looked<KnownToken>> {
    if (token === undefined || !isTokenShaped(token)) return ABSENT;
    return whenKnown(tokens.find(tokenHash(token)), (looked) =>
      looked.state === 'known' && looked.value.expiresAt <= now() ? ABSENT : looked,
    );
  }

  const inPath = (looked: Looked<KnownToken>): ClientCredential => {
    if (looked.state === 'unavailable') return { kind: 'unavailable' };
    if (looked.state === 'absent' || looked.value.kind === 'admin') return { kind: 'unknownPath' };
    return { kind: 'view', view: looked.value.view, chosenBy: 'path' };
  };

  const inHeader = (looked: Looked<KnownToken>): ClientCredential => {
    if (looked.state === 'unavailable') return { kind: 'unavailable' };
    if (looked.state === 'absent') return { kind: 'unauthorized' };
    return { kind: 'view', view: looked.value.view, chosenBy: 'header' };
  };

  const isAdminToken = (looked: Looked<KnownToken>): boolean => {
    if (looked.state === 'unavailable') throw new RegistryUnavailableError('the token cannot be looked up');
    return looked.state === 'known' && looked.value.kind === 'admin';
  };

  return {
    open: base.open,
    client(claimed, deadline) {
      const { pathToken, authorization } = claimed;
      if (pathToken !== undefined) return whenKnown(look(pathToken), inPath);
      return whenKnown(base.client(claimed, deadline), (credential) =>
        credential.kind === 'unauthorized' ? whenKnown(look(bearerToken(authorization)), inHeader) : credential,
      );
    },
    isAdministrator: (authorization) =>
      whenKnown(
        base.isAdministrator(authorization),
        (isBase) => isBase || whenKnown(look(bearerToken(authorization)), isAdminToken),
      ),
  };
}
