import { Hono } from 'hono';
import { type ApiPorts, guard } from './api.ts';
import type { Metrics } from './metrics.ts';

const scrapeOf = (metrics: Metrics) => async (): Promise<Response> =>
  new Response(await metrics.scrape(), {
    headers: { 'content-type': metrics.contentType, 'cache-control': 'no-store' },
  });

/** `GET /metrics` for administrators alone: figures tell how much is asked, and how full the pools are. */
export function createMetricsApp(metrics: Metrics, ports: ApiPorts): Hono {
  const app = new Hono();
  guard(app, '/metrics', ports);
  return app.get('/metrics', scrapeOf(metrics));
}

/** The same for whoever reaches a listener of its own. */
export const createOpenMetricsApp = (metrics: Metrics): Hono => new Hono().get('/metrics', scrapeOf(metrics));
