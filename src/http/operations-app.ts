import { type Context, Hono } from 'hono';
import { FsckTokenError, type RegistryFsck } from '../registry/fsck-report.ts';
import type { PoolReader, VipReport } from '../registry/operations.ts';
import { type ApiPorts, badRequest, guard, NO_SUCH_RESOURCE, readJson, sendStatus } from './api.ts';
import { failure } from './status.ts';

export interface OperationsPorts extends ApiPorts {
  readonly pools: PoolReader;
  readonly fsck: RegistryFsck;
}

/**
 * What an operator asks of the registry as a whole: `GET /v1/pools`, `GET /v1/vips/{address}`,
 * `GET /v1/vips?namespace=…&host=…`, and `POST /v1/fsck?repair=true`, which answers with one part of a run and, until
 * the last, with `continue`, to be sent back as `{"continue": "…"}`: a large table takes longer than one request may.
 */
export function createOperationsApp(ports: OperationsPorts): Hono {
  const { pools, fsck, adminTimeoutMs } = ports;
  const app = new Hono();
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);
  guard(app, '/v1', ports);

  const sendVip = (c: Context, vip: VipReport | undefined, what: string): Response =>
    vip ? c.json(vip) : sendStatus(c, failure(404, 'NotFound', what));

  app.get('/v1/pools', async (c) => c.json({ items: await pools.pools(deadline()) }));
  app.get('/v1/vips/:address', async (c) => {
    const { address } = c.req.param();
    return sendVip(c, await pools.vip(address, deadline()), `${address} is in no pool of virtual IPs`);
  });
  app.get('/v1/vips', async (c) => {
    const { namespace = '', host = '' } = c.req.query();
    if (namespace === '' || host === '') return sendStatus(c, badRequest('name a namespace and a host'));
    const vip = await pools.vipOfHost(namespace, host.toLowerCase().replace(/\.$/, ''), deadline());
    return sendVip(c, vip, `host "${host}" has no virtual IP in namespace "${namespace}"`);
  });
  app.post('/v1/fsck', async (c) => {
    const read = await readJson(c);
    if ('status' in read) return sendStatus(c, read);
    const token = read.body.continue;
    if (token !== undefined && typeof token !== 'string') return sendStatus(c, badRequest('continue is not a text'));
    const run = { repair: c.req.query('repair') === 'true', ...(token === undefined ? {} : { continue: token }) };
    try {
      return c.json(await fsck.run(run, deadline()));
    } catch (error) {
      if (error instanceof FsckTokenError) return sendStatus(c, badRequest(error.message));
      throw error;
    }
  });
  app.all('/v1/*', (c) => sendStatus(c, NO_SUCH_RESOURCE));
  return app;
}
