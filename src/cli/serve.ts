import { createSecureContext } from 'node:tls';
import { Command } from 'commander';
import { startNodeServer } from '../http/node-server.ts';
import { listenText } from '../settings/listen-address.ts';
import { keepObjectsYoung } from '../young-objects.ts';
import { CommandFailure } from './failure.ts';
import { openAt } from './listen-failure.ts';
import { metricsUrl, openMetricsListener } from './metrics-listener.ts';
import { openStore, usingStore } from './open-store.ts';
import { addSettingOptions, readSettings } from './read-settings.ts';
import { untilStopped } from './run-until-stopped.ts';
import { createService } from './service.ts';
import { ensureAdminToken, removeServerFile, writeServerFile } from './state-folder.ts';
import { readTextFileSync } from './text-file.ts';

const OPEN_TIMEOUT_MS = 15_000;

/** A fault that no client is told of: it goes to whoever runs the server. */
export const report = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
};

interface ServeFlags {
  readonly cert?: string;
  readonly key?: string;
}

function tlsOf({ cert, key }: ServeFlags): { cert: string; key: string } | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new CommandFailure('--cert and --key go together: the certificate and its private key');
  const tls = { cert: readTextFileSync(cert, `${cert} (--cert)`), key: readTextFileSync(key, `${key} (--key)`) };
  try {
    createSecureContext(tls);
    return tls;
  } catch (error) {
    const { message } = error as Error;
    const text = `${cert} (--cert) and ${key} (--key) are not a certificate and its key in PEM: ${message}`;
    throw new CommandFailure(text, { cause: error });
  }
}

async function serve(flags: ServeFlags & Record<string, unknown>): Promise<void> {
  keepObjectsYoung();
  const cwd = process.cwd();
  const settings = readSettings(flags, { cwd, environment: process.env });
  const tls = tlsOf(flags);
  const { token, path } = await ensureAdminToken(cwd);
  const store = await openStore(settings.store, cwd, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  const service = await usingStore(settings.store, () => createService({ settings, store, adminToken: token, report }));
  const server = await openAt('--listen', settings.listen, (at) =>
    startNodeServer({ ...at, ...(tls ? { tls } : {}), ...service, report }),
  );
  service.metrics.watchConnections(tls ? 'https' : 'http', () => server.connections);
  const metrics = settings.metrics && (await openMetricsListener(settings.metrics, service.probes, report));
  const url = `${tls ? 'https' : 'http'}://${listenText({ host: server.address, port: server.port })}`;
  await writeServerFile(cwd, { pid: process.pid, http: url });
  // Before anybody is told that there is something to stop.
  const stopped = untilStopped();
  process.stdout.write(`meshdoh listens on ${url}\n`);
  if (metrics) process.stdout.write(`metrics: ${metricsUrl(metrics)}\n`);
  if (settings.auth === 'tokens') process.stdout.write(`administrator token: ${path}\n`);
  await stopped;
  await Promise.all([server.close(), metrics?.close()]);
  await service.close();
  await store.close();
  await removeServerFile(cwd);
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('the server alone, against any store')
    .description('Serves DoH and the ServiceEntry API. With --cert and --key: HTTPS with HTTP/2 and HTTP/1.1.')
    .option('--cert <file>', 'certificate chain in PEM')
    .option('--key <file>', 'private key of the certificate, in PEM')
    .action(serve);
  return addSettingOptions(command).addHelpText(
    'after',
    `
Examples:
  meshdoh serve --store dynamodb --table meshdoh --region eu-central-1
  meshdoh serve --listen 192.0.2.1:443 --cert fullchain.pem --key privkey.pem --store /var/lib/meshdoh`,
  );
}
