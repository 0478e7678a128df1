import type { Hono } from 'hono';
import { formErrorOf } from '../dns/response.ts';
import { createApp } from '../http/app.ts';
import type { Credentials } from '../http/credentials.ts';
import type { DohTransaction } from '../http/doh-transaction.ts';
import { adminTokenCredentials, openCredentials } from '../http/local-credentials.ts';
import type { RegistryWriter } from '../registry/writer.ts';
import { createAdminSide } from '../service/admin-side.ts';
import { createQuerySide } from '../service/query-side.ts';
import type { Settings } from '../settings.ts';
import type { OpenStore } from './open-store.ts';

/** meshdoh without its sockets. */
export interface Service {
  readonly doh: DohTransaction;
  readonly app: Hono;
  readonly writer: RegistryWriter;
  /** Answers one DNS message, for listeners that carry them bare. */
  readonly exchange: (wire: Buffer) => Promise<Buffer>;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly settings: Settings;
  readonly store: OpenStore;
  readonly adminToken: string;
  readonly report: (error: unknown) => void;
}

const credentialsOf = ({ auth, view }: Settings, adminToken: string): Credentials =>
  auth === 'none' ? openCredentials(view) : adminTokenCredentials(adminToken, view);

/** Builds both sides on the store and joins them. */
export async function createService({ settings, store, adminToken, report }: ServiceOptions): Promise<Service> {
  const { view, queryTimeoutMs } = settings;
  const credentials = credentialsOf(settings, adminToken);
  const { exchange, doh: dohFor, committed, close } = createQuerySide(store.queries, settings);
  const { app: admin, writer } = await createAdminSide(store.administration, settings, {
    credentials,
    committed,
    report,
  });
  const doh = dohFor(credentials);
  return {
    doh,
    app: createApp({ doh, admin, report }),
    writer,
    exchange: async (wire) => {
      const exchanged = await exchange.answer(wire, view, () => AbortSignal.timeout(queryTimeoutMs));
      return 'malformed' in exchanged ? formErrorOf(wire) : exchanged.wire;
    },
    close,
  };
}
