import { type Context, Hono } from 'hono';

/** One thing that must hold for a server to be of use. */
export interface ReadinessCheck {
  readonly name: string;
  /** Undefined when it holds, else why it does not, in words that anybody may read. */
  readonly problem: (signal: AbortSignal) => Promise<string | undefined>;
}

export interface HealthPorts {
  readonly checks: readonly ReadinessCheck[];
  readonly now?: () => number;
}

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly message?: string;
}

interface Readiness {
  readonly ready: boolean;
  /** RFC 3339. */
  readonly checkedAt: string;
  readonly elapsedMs: number;
  readonly checks: readonly Finding[];
}

/** Whoever probes, and however often, the store is asked this often. */
const KEPT_MS = 2_000;
const CHECK_TIMEOUT_MS = 1_500;

async function find({ name, problem }: ReadinessCheck, signal: AbortSignal): Promise<Finding> {
  // The reason of a failure may name what only an administrator should read.
  const message = await problem(signal).catch(() => 'no answer in time');
  return message === undefined ? { name, ok: true } : { name, ok: false, message };
}

async function check(checks: readonly ReadinessCheck[], now: () => number): Promise<Readiness> {
  const started = now();
  const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const findings = await Promise.all(checks.map((one) => find(one, signal)));
  return {
    ready: findings.every(({ ok }) => ok),
    checkedAt: new Date(started).toISOString(),
    elapsedMs: now() - started,
    checks: findings,
  };
}

const lineOf = ({ name, ok, message }: Finding): string => (ok ? `[+] ${name} ok` : `[-] ${name}: ${message}`);

function respond(c: Context, readiness: Readiness): Response {
  const { ready, checks } = readiness;
  const code = ready ? 200 : 503;
  c.header('Cache-Control', 'no-store');
  if (c.req.query('verbose') !== undefined) return c.json(readiness, code);
  const failed = checks.filter(({ ok }) => !ok).map(lineOf);
  return c.text(ready ? 'ok\n' : `${failed.join('\n')}\nnot ready\n`, code);
}

/**
 * What load balancers and supervisors ask, without a credential: `/healthz` says that the process answers,
 * `/readyz` whether it can be of use, and `/readyz?verbose` why, as JSON.
 */
export function createHealthApp({ checks, now = Date.now }: HealthPorts): Hono {
  let latest: { readonly at: number; readonly readiness: Promise<Readiness> } | undefined;
  const readiness = (): Promise<Readiness> => {
    const at = now();
    if (!latest || at - latest.at >= KEPT_MS) latest = { at, readiness: check(checks, now) };
    return latest.readiness;
  };
  const app = new Hono();
  app.get('/healthz', (c) => c.text('ok\n', 200, { 'Cache-Control': 'no-store' }));
  app.get('/readyz', async (c) => respond(c, await readiness()));
  return app;
}
