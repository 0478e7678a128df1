import { describe, expect, it } from 'vitest';
import { encodeName } from '../../src/dns/name.ts';
import type { Route } from '../../src/shim/route.ts';
import { route } from '../../src/shim/route.ts';
import { Routing, zonesBefore } from '../../src/shim/routing.ts';
import { touchedNames } from '../../src/shim/touched-names.ts';
import { diffTables } from '../../src/table/diff-tables.ts';
import { name } from '../support/dns.ts';
import { meshTable, vipHost } from '../support/running-shim.ts';

function parsed(text: string): Route {
  const reading = route(text);
  if (!reading.ok) throw new Error(text);
  return reading.value;
}

describe('the route of a name', () => {
  const routing = new Routing(['corp.example=udp://10.0.0.2', 'a.corp.example=doh', 'ec2.internal=doh'].map(parsed));

  it.each([
    ['x.corp.example', 'corp.example', 'udp', true],
    ['corp.example', 'corp.example', 'udp', true],
    ['x.a.corp.example', 'a.corp.example', 'doh', true],
    ['ip-10-0-0-1.ec2.internal', 'ec2.internal', 'doh', true],
    ['ip-10-0-0-1.eu-west-1.compute.internal', 'compute.internal', 'system', false],
    ['metadata.google.internal', 'google.internal', 'system', false],
    ['vm.ax.internal.cloudapp.net', 'internal.cloudapp.net', 'system', false],
    ['printer.office.example', 'office.example', 'system', false],
  ])('%s is that of %s', (qname, suffix, kind, isGiven) => {
    const match = routing.matchOf(name(qname), new Set([name('office.example')]));
    expect(match).toMatchObject({ suffix, target: { kind }, isGiven });
  });

  it.each(['xcorp.example', 'example', 'www.example.org', 'internal'])('%s has none', (qname) => {
    expect(routing.matchOf(name(qname), new Set())).toBeUndefined();
  });

  it('gives way to private zones that say more, and to equal ones only where nobody wrote it', () => {
    const zones = [name('internal'), name('mesh.corp.example')];
    const target = { kind: 'system' } as const;
    expect(zonesBefore({ suffix: name('.'), target, isGiven: true }, zones)).toEqual(zones);
    expect(zonesBefore({ suffix: name('corp.example'), target, isGiven: true }, zones)).toEqual(['mesh.corp.example']);
    expect(zonesBefore({ suffix: name('internal'), target, isGiven: true }, zones)).toEqual([]);
    expect(zonesBefore({ suffix: name('internal'), target, isGiven: false }, zones)).toEqual(['internal']);
    expect(zonesBefore({ suffix: name('ec2.internal'), target, isGiven: false }, zones)).toEqual([]);
  });
});

describe('names that a change of the table touches', () => {
  const before = meshTable([vipHost('a.internal', '240.240.1.1')]);
  const wire = (text: string) => encodeName(name(text)).toString('latin1');

  it.each([
    ['b.internal', true],
    ['_http._tcp.b.internal', true],
    ['internal', true],
    ['x.wild.example', true],
    ['wild.example', true],
    ['b.internal.search.example', true],
    ['4.3.240.240.in-addr.arpa', true],
    ['a.internal', false],
    ['xb.internal', false],
    ['www.example.org', false],
  ])('%s: %s', (qname, touched) => {
    const view = { ...before.view, searchDomains: ['search.example'] };
    const old = { ...before, view };
    const more = [vipHost('b.internal', '240.240.3.4'), vipHost('*.wild.example', '240.240.3.5')];
    const after = meshTable([...before.hosts, ...more], { view });
    expect(touchedNames(after, diffTables(old, after))(wire(qname))).toBe(touched);
  });

  it('are all names when zones or pools change', () => {
    const after = meshTable(before.hosts, { privateZones: ['internal', 'corp'] });
    expect(touchedNames(after, diffTables(before, after))(wire('www.example.org'))).toBe(true);
  });
});
