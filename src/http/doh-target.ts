/** Where in the endpoint a request goes. */
export interface DohTarget {
  /** The first segment of `/{token}/dns-query`. */
  readonly pathToken: string | undefined;
  /** Without its question mark. */
  readonly query: string;
}

const ENDPOINT = '/dns-query';
const WITH_TOKEN = /^\/([\w-]{1,256})\/dns-query$/;

/** `/dns-query` or `/{token}/dns-query`, with or without a query; undefined for all other targets. */
export function dohTarget(target: string): DohTarget | undefined {
  const question = target.indexOf('?');
  const end = question === -1 ? target.length : question;
  const query = target.slice(end + 1);
  if (end === ENDPOINT.length && target.startsWith(ENDPOINT)) return { pathToken: undefined, query };
  const pathToken = WITH_TOKEN.exec(target.slice(0, end))?.[1];
  return pathToken === undefined ? undefined : { pathToken, query };
}

/** What the query of a target says. */
export interface DohParameters {
  /** Every value of `dns`. */
  readonly dns: readonly string[];
  /** The question of the JSON form; present when there is a `name`. */
  readonly named?: {
    readonly name: string;
    readonly type: string | undefined;
    readonly cd: boolean;
    readonly do: boolean;
  };
  /** What to leave out of the view. */
  readonly vips: string | undefined;
  readonly families: string | undefined;
}

const NO_PARAMETERS: DohParameters = { dns: [], vips: undefined, families: undefined };
const DNS = 'dns=';

const flag = (value: string | null): boolean => value === '1' || value === 'true';

export function dohParameters(query: string): DohParameters {
  if (query === '') return NO_PARAMETERS;
  // As nearly all clients write it: one parameter, nothing escaped.
  if (query.startsWith(DNS) && !query.includes('&') && !query.includes('%')) {
    return { dns: [query.slice(DNS.length)], vips: undefined, families: undefined };
  }
  const parameters = new URLSearchParams(query);
  const text = (name: string) => parameters.get(name) ?? undefined;
  const name = text('name');
  const question = { type: text('type'), cd: flag(parameters.get('cd')), do: flag(parameters.get('do')) };
  return {
    dns: parameters.getAll('dns'),
    ...(name === undefined ? {} : { named: { name, ...question } }),
    vips: text('vips'),
    families: text('families'),
  };
}
