import { type DomainName, isAtOrBelow, labelsOf, parentOf } from '../dns/name.ts';
import type { Route, RouteTarget } from './route.ts';

/** Zones that exist inside a cloud's network only, and that its own resolver answers. */
const CLOUD_ZONES: ReadonlySet<string> = new Set([
  'ec2.internal',
  'compute.internal',
  'google.internal',
  'internal.cloudapp.net',
]);

export interface RouteMatch {
  readonly suffix: DomainName;
  readonly target: RouteTarget;
  /** Somebody wrote it; otherwise it is one that every host has. */
  readonly isGiven: boolean;
}

/** The route with the longest suffix at or above `qname`; one that was given goes before a default one. */
export class Routing {
  readonly #given: ReadonlyMap<DomainName, RouteTarget>;

  constructor(routes: readonly Route[]) {
    this.#given = new Map(routes.map(({ suffix, target }) => [suffix, target]));
  }

  /** `search`: the search domains of the host, which its own resolvers know. */
  matchOf(qname: DomainName, search: ReadonlySet<DomainName>): RouteMatch | undefined {
    for (let suffix: DomainName | undefined = qname; suffix !== undefined; suffix = parentOf(suffix)) {
      const target = this.#given.get(suffix);
      if (target !== undefined) return { suffix, target, isGiven: true };
      if (CLOUD_ZONES.has(suffix) || search.has(suffix)) {
        return { suffix, target: { kind: 'system' }, isGiven: false };
      }
    }
    return undefined;
  }
}

/** The zones that say more about a name than a route does: longer ones, and equal ones where the route is a default. */
export const zonesBefore = ({ suffix, isGiven }: RouteMatch, zones: readonly DomainName[]): readonly DomainName[] =>
  zones.filter((zone) => isAtOrBelow(zone, suffix) && (zone !== suffix || !isGiven) && labelsOf(zone).length > 0);
