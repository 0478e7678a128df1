import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { startNodeServer } from '../http/node-server.ts';
import { listenText } from '../settings/listen-address.ts';
import { openStore } from './open-store.ts';
import { addSettingOptions, readSettings } from './read-settings.ts';
import { untilStopped } from './run-until-stopped.ts';
import { createService } from './service.ts';
import { ensureAdminToken, removeServerFile, writeServerFile } from './state-folder.ts';

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
    throw new Error('--cert and --key go together: the certificate and its private key');
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

async function serve(flags: ServeFlags & Record<string, unknown>): Promise<void> {
  const cwd = process.cwd();
  const settings = readSettings(flags, { cwd, environment: process.env });
  const tls = tlsOf(flags);
  const { token, path } = await ensureAdminToken(cwd);
  const store = await openStore(settings.store, cwd, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  const service = await createService({ settings, store, adminToken: token, report });
  const { host, port } = settings.listen;
  const server = await startNodeServer({ address: host, port, ...(tls ? { tls } : {}), ...service, report });
  const url = `${tls ? 'https' : 'http'}://${listenText({ host: server.address, port: server.port })}`;
  await writeServerFile(cwd, { pid: process.pid, http: url });
  process.stdout.write(`meshdoh listens on ${url}\n`);
  if (settings.auth === 'tokens') process.stdout.write(`administrator token: ${path}\n`);
  await untilStopped();
  await server.close();
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
