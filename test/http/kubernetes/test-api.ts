import type { Hono } from 'hono';
import { type AdminPorts, createAdminApp } from '../../../src/http/admin-app.ts';
import { adminTokenCredentials, openCredentials } from '../../../src/http/local-credentials.ts';
import { DEFAULT_VIEW, openTestRegistry, type TestRegistry } from '../../support/registry.ts';

export const ALL = '/apis/networking.istio.io/v1/serviceentries';
export const COLLECTION = '/apis/networking.istio.io/v1/namespaces/default/serviceentries';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it.
  readonly body: any;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is a text. */
  readonly body?: unknown;
  /** Of the body. */
  readonly type?: string;
}

export interface TestApi {
  readonly app: Hono;
  readonly registry: TestRegistry;
  readonly faults: unknown[];
  readonly committed: string[];
  send(method: string, target: string, sent?: Sent): Promise<Answer>;
  close(): Promise<void>;
}

export interface TestApiOptions extends Partial<AdminPorts> {
  readonly token?: string;
}

/** The ServiceEntry API on a registry of its own. */
export async function openTestApi({ token, ...ports }: TestApiOptions = {}): Promise<TestApi> {
  const registry = await openTestRegistry();
  const faults: unknown[] = [];
  const committed: string[] = [];
  const app = createAdminApp({
    entries: registry.entries,
    writer: registry.writer,
    credentials: token === undefined ? openCredentials(DEFAULT_VIEW) : adminTokenCredentials(token, DEFAULT_VIEW),
    adminTimeoutMs: 10_000,
    committed: (hosts) => committed.push(...hosts),
    report: (error) => faults.push(error),
    now: () => registry.clock.now,
    ...ports,
  });
  return {
    app,
    registry,
    faults,
    committed,
    async send(method, target, { headers = {}, body, type = 'application/json' } = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const response = await app.request(target, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body: text }),
      });
      return { status: response.status, headers: response.headers, body: await response.json() };
    },
    close: () => registry.db.close(),
  };
}

/** A manifest of the entry, as a client sends it. */
export const manifest = (name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name, ...metadata },
  spec: {
    hosts: [`${name}.internal`],
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    resolution: 'DNS',
    ...spec,
  },
});
