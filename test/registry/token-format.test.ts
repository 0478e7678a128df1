import { describe, expect, it } from 'vitest';
import { bearerToken } from '../../src/http/local-credentials.ts';
import { isTokenId, isTokenShaped, makeToken, tokenHash, tokenIdOf } from '../../src/registry/token-format.ts';

describe('a token', () => {
  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, makeToken)).size).toBe(1000);
  });

  it('fits into a path and into a header', () => {
    const token = makeToken();
    expect(token).toMatch(/^mdh_[0-9A-Za-z]{38}$/);
    expect(token).toMatch(/^[\w-]{1,256}$/);
    expect(bearerToken(`Bearer ${token}`)).toBe(token);
    expect(isTokenShaped(token)).toBe(true);
  });

  it('is told from a mistyped one in any place', () => {
    const token = makeToken();
    for (let at = 4; at < token.length; at++) {
      const wrong = `${token.slice(0, at)}${token[at] === 'a' ? 'b' : 'a'}${token.slice(at + 1)}`;
      expect(isTokenShaped(wrong), `character ${at}`).toBe(false);
    }
  });

  it.each([
    ['one cut off', (token: string) => token.slice(0, -1)],
    ['one with more behind it', (token: string) => `${token}0`],
    ['one with a line feed', (token: string) => `${token}\n`],
    ['one in upper case', (token: string) => token.toUpperCase()],
    ['nothing', () => ''],
    ['a path', () => 'dns-query'],
    ['a token of something else', () => 'ghp_'.padEnd(42, 'a')],
  ])('is told from %s', (_, mutate) => {
    expect(isTokenShaped(mutate(makeToken()))).toBe(false);
  });

  it('has an id that does not tell it', () => {
    const token = makeToken();
    const id = tokenIdOf(tokenHash(token));
    expect(isTokenId(id)).toBe(true);
    expect(token).not.toContain(id);
    expect(isTokenId(`${id}0`)).toBe(false);
  });
});
