export type Family = 'ipv4' | 'ipv6';

/** What a client may see and carry. A credential names one; a request may narrow it, never widen it. */
export interface View {
  /** `exportTo` is judged against this namespace. */
  readonly namespace: string;
  /** Tried, one at a time, as a suffix to take off a name that is not registered itself. */
  readonly searchDomains: readonly string[];
  readonly clusterDomain: string;
  /** Families of VIPs; literal addresses are answered in both. */
  readonly families: readonly Family[];
  /** Whether the client can carry VIP traffic; `proxy`: an L7 proxy does, so wildcard hosts have VIPs too. */
  readonly vips: boolean | 'proxy';
  /** Whether names that are nobody's are forwarded, or REFUSED. */
  readonly forwardUnknown: boolean;
}

/** What a request asks to leave out; `families` in query-parameter form, `4` or `6`. */
export interface Narrowing {
  readonly vips?: string | undefined;
  readonly families?: string | undefined;
}

const FAMILIES: ReadonlyMap<string, Family> = new Map([
  ['4', 'ipv4'],
  ['6', 'ipv6'],
]);

/** The view with what the request leaves out removed; undefined when a value is not one of those allowed. */
export function narrowView(view: View, narrowing: Narrowing): View | undefined {
  if (narrowing.vips !== undefined && narrowing.vips !== '0' && narrowing.vips !== '1') return undefined;
  const vips = narrowing.vips === '0' ? false : view.vips;
  if (narrowing.families === undefined) return vips === view.vips ? view : { ...view, vips };
  const asked = narrowing.families.split(',').map((family) => FAMILIES.get(family));
  if (asked.includes(undefined)) return undefined;
  return { ...view, vips, families: view.families.filter((family) => asked.includes(family)) };
}
