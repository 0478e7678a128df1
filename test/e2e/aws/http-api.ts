import { Refusal } from './refusal.ts';

export interface Route {
  readonly key: string;
  readonly functionName: string;
  readonly authorization: 'NONE' | 'AWS_IAM';
}

/** How closely a route names a path: in full, with variables, greedily; `$default` takes the rest. */
const EXACT = 3;
const VARIABLES = 2;
const GREEDY = 1;

function closeness(pattern: string, path: string): number {
  if (pattern === path) return EXACT;
  const source = pattern
    .replace(/[.+*?^$()|[\]\\]/g, '\\$&')
    .replace(/\{\w+\\\+\}/g, '.+')
    .replace(/\{\w+\}/g, '[^/]+');
  if (!new RegExp(`^${source}$`).test(path)) return 0;
  return pattern.includes('+}') ? GREEDY : VARIABLES;
}

/** An HTTP API with the stage `$default`: routes to functions, payload format 2.0. */
export class HttpApi {
  readonly id: string;
  readonly routes = new Map<string, Route>();
  /** Function by integration. */
  readonly integrations = new Map<string, string>();

  constructor(id: string) {
    this.id = id;
  }

  /** @throws Refusal, as a stage does whose settings name a route that is not there. */
  requireRoutes(keys: readonly string[]): void {
    const known = new Set([...this.routes.values()].map(({ key }) => key));
    const missing = keys.find((key) => !known.has(key));
    if (missing !== undefined) throw new Refusal(404, 'NotFoundException', `Unable to find Route by key ${missing}`);
  }

  /** The most specific route, first by path, then by method. */
  routeFor(method: string, path: string): Route | undefined {
    let best: { route: Route; rank: number } | undefined;
    for (const route of this.routes.values()) {
      const [verb, pattern = ''] = route.key.split(' ', 2);
      if (verb !== 'ANY' && verb !== method) continue;
      const close = closeness(pattern, path);
      const rank = close === 0 ? 0 : close * 2 + (verb === method ? 1 : 0);
      if (rank > (best?.rank ?? 0)) best = { route, rank };
    }
    return best?.route ?? [...this.routes.values()].find(({ key }) => key === '$default');
  }
}
