import { type Context, Hono } from 'hono';
import { type PrincipalStore, principalArn } from '../registry/principals.ts';
import { readPartialView } from '../table/view-fields.ts';
import { type ApiPorts, badRequest, guard, readJson, sendStatus } from './api.ts';
import { failure } from './status.ts';
import { readLabel } from './token-app.ts';

export interface PrincipalPorts extends ApiPorts {
  readonly principals: PrincipalStore;
  readonly now?: () => number;
}

/** An ARN holds slashes, and a gateway may have decoded them. */
const ONE = '/v1/principals/:arn{.+}';

const FIELDS: ReadonlySet<string> = new Set(['label', 'view']);

const NO_ARN = badRequest('the principal is no ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/vm');

/** Which view the signers of requests have, for administrators: `GET`, `PUT` and `DELETE` by the ARN of a role or user. */
export function createPrincipalsApp(ports: PrincipalPorts): Hono {
  const { principals, adminTimeoutMs, now = Date.now } = ports;
  const app = new Hono();
  guard(app, '/v1/principals', ports);
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);
  const absent = (c: Context, arn: string) => sendStatus(c, failure(404, 'NotFound', `${arn} has no view of its own`));

  async function put(c: Context, arn: string): Promise<Response> {
    const read = await readJson(c);
    if ('status' in read) return sendStatus(c, read);
    // A field that is misspelt must not leave the view of the settings, which may see more.
    const unknown = Object.keys(read.body).find((field) => !FIELDS.has(field));
    if (unknown !== undefined)
      return sendStatus(c, badRequest(`unknown field ${JSON.stringify(unknown.slice(0, 64))}`));
    const { label: givenLabel = arn.split('/').at(-1), view: givenView = {} } = read.body;
    const label = readLabel(givenLabel);
    if ('status' in label) return sendStatus(c, label);
    const view = readPartialView(givenView);
    if (!view.ok) return sendStatus(c, badRequest(view.reason));
    const createdAt = new Date(now()).toISOString().replace(/\.\d{3}Z$/, 'Z');
    const { record, replaced } = await principals.put({ arn, ...label, view: view.view, createdAt }, deadline());
    return c.json(record, replaced ? 200 : 201);
  }

  async function remove(c: Context, arn: string): Promise<Response> {
    return (await principals.remove(arn, deadline())) ? c.json({ arn }) : absent(c, arn);
  }

  async function get(c: Context, arn: string): Promise<Response> {
    const record = await principals.get(arn, deadline());
    return record ? c.json(record) : absent(c, arn);
  }

  const byArn = (act: (c: Context, arn: string) => Promise<Response>) => (c: Context) => {
    const arn = principalArn(c.req.param('arn') ?? '');
    return arn === undefined ? sendStatus(c, NO_ARN) : act(c, arn);
  };

  app.get('/v1/principals', async (c) => c.json({ items: await principals.list(deadline()) }));
  app.get(ONE, byArn(get));
  app.put(ONE, byArn(put));
  app.delete(ONE, byArn(remove));
  return app;
}
