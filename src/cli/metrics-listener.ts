import { Hono } from 'hono';
import { notFound } from '../http/message.ts';
import { type NodeServer, startNodeServer } from '../http/node-server.ts';
import { listenText } from '../settings/listen-address.ts';
import type { ListenAddress } from '../settings.ts';
import { openAt } from './listen-failure.ts';

export const metricsUrl = ({ address, port }: NodeServer): string =>
  `http://${listenText({ host: address, port })}/metrics`;

/** `/metrics`, `/healthz` and `/readyz` on a listener of their own, on loopback, without a credential. */
export const openMetricsListener = (
  at: ListenAddress,
  { health, metrics }: { readonly health: Hono; readonly metrics: Hono },
  report: (error: unknown) => void,
): Promise<NodeServer> =>
  openAt('--metrics', at, (address) =>
    startNodeServer({
      ...address,
      doh: notFound,
      app: new Hono().route('/', health).route('/', metrics),
      report,
    }),
  );
