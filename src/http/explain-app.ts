import { Hono } from 'hono';
import { parseType } from '../dns/constants.ts';
import { parseName } from '../dns/name.ts';
import type { DecideSettings } from '../resolve/decide.ts';
import { type ExplainPorts, explain } from '../resolve/explain.ts';
import { narrowView, type View } from '../table/view.ts';
import { isNamespace } from '../table/view-fields.ts';
import { type ApiPorts, badRequest, guard, sendStatus } from './api.ts';

export interface ExplainAppPorts extends ApiPorts {
  readonly explaining: ExplainPorts;
  readonly settings: DecideSettings & { readonly view: View };
}

/** `GET /v1/explain?name=&type=&namespace=`, for administrators: `vips` and `families` narrow the view as for a client. */
export function createExplainApp(ports: ExplainAppPorts): Hono {
  const { explaining, settings, adminTimeoutMs } = ports;
  const app = new Hono();
  guard(app, '/v1/explain', ports);
  app.get('/v1/explain', async (c) => {
    const { name = '', type = 'A', namespace = settings.view.namespace, vips, families } = c.req.query();
    const qname = parseName(name);
    if (!qname) return sendStatus(c, badRequest(`name: ${JSON.stringify(name.slice(0, 300))} is not a domain name`));
    const qtype = parseType(type);
    if (qtype === undefined) {
      return sendStatus(c, badRequest(`type: ${JSON.stringify(type.slice(0, 30))} is not a record type`));
    }
    const view = isNamespace(namespace) ? narrowView({ ...settings.view, namespace }, { vips, families }) : undefined;
    if (!view) return sendStatus(c, badRequest('namespace takes a name, vips 0 or 1, families 4, 6 or 4,6'));
    return c.json(await explain({ qname, qtype }, view, settings, explaining, AbortSignal.timeout(adminTimeoutMs)));
  });
  return app;
}
