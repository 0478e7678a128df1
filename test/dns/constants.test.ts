import { describe, expect, it } from 'vitest';
import { EdeCode, parseType, Rcode, RRType, rcodeName, typeName } from '../../src/dns/constants.ts';

describe('record types', () => {
  it.each([
    ['A', 1],
    ['aaaa', 28],
    ['Https', 65],
    ['TYPE65', 65],
    ['type1', 1],
    ['TYPE65535', 65_535],
    ['TYPE0', 0],
    ['255', 255],
    ['any', 255],
  ])('%s is %d', (text, type) => {
    expect(parseType(text)).toBe(type);
  });

  it.each(['', 'TYPE', 'TYPE65536', '65536', '-1', '1.0', '0x1', ' A', 'AA', 'TYPE-1', 'TYPE1 ', '*', 'constructor'])(
    '%j is none',
    (text) => {
      expect(parseType(text)).toBeUndefined();
    },
  );

  it('have a name that reads back, known or not', () => {
    for (let type = 0; type <= 0xffff; type++) expect(parseType(typeName(type))).toBe(type);
  });

  it('are named TYPE and the number where there is no mnemonic (RFC 3597)', () => {
    expect(typeName(RRType.SVCB)).toBe('SVCB');
    expect(typeName(1234)).toBe('TYPE1234');
  });
});

describe('response codes', () => {
  it.each(Object.entries(Rcode))('%s is %d by name, too', (name, rcode) => {
    expect(rcodeName(rcode)).toBe(name.toUpperCase());
  });

  it.each([
    [Rcode.noError, 'NOERROR'],
    [Rcode.formErr, 'FORMERR'],
    [Rcode.servFail, 'SERVFAIL'],
    [Rcode.nxDomain, 'NXDOMAIN'],
    [Rcode.notImp, 'NOTIMP'],
    [Rcode.refused, 'REFUSED'],
    [Rcode.badVers, 'BADVERS'],
    [4095, 'RCODE4095'],
  ])('%d is %s', (rcode, name) => {
    expect(rcodeName(rcode)).toBe(name);
  });

  it('of extended errors are those of RFC 8914', () => {
    expect(EdeCode).toMatchObject({
      staleAnswer: 3,
      notReady: 14,
      prohibited: 18,
      noReachableAuthority: 22,
      networkError: 23,
    });
  });
});
