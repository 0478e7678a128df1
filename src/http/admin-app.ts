import { Hono } from 'hono';
import { type ApiPorts, guard, NO_SUCH_RESOURCE, sendStatus } from './api.ts';
import { addDiscovery } from './kubernetes/discovery.ts';
import { addOpenApi } from './kubernetes/openapi.ts';
import { createReadVerbs, type ReadPorts } from './kubernetes/read-verbs.ts';
import { isPossible, isVersion, notFound, PLURAL } from './kubernetes/resource.ts';
import { createWriteVerbs, type WritePorts } from './kubernetes/write-verbs.ts';
import { failure, GROUP } from './status.ts';

export interface AdminPorts extends ApiPorts, ReadPorts, WritePorts {}

const ALL = `/apis/${GROUP}/:version/${PLURAL}`;
const COLLECTION = `/apis/${GROUP}/:version/namespaces/:namespace/${PLURAL}`;
const OBJECT = `${COLLECTION}/:name`;

const NOT_ALLOWED = failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

/** The ServiceEntry API in Kubernetes' shape, so that its clients can be pointed at it. */
export function createAdminApp(ports: AdminPorts): Hono {
  const { get, list } = createReadVerbs(ports);
  const { create, replace, patch, remove, removeAll } = createWriteVerbs(ports);
  const app = new Hono();
  for (const prefix of ['/api', '/apis', '/openapi']) guard(app, prefix, ports);
  app.use(`/apis/${GROUP}/:version/*`, (c, next) =>
    isVersion(c.req.param('version')) ? next() : Promise.resolve(sendStatus(c, NO_SUCH_RESOURCE)),
  );
  app.use(OBJECT, (c, next) => {
    const { namespace, name } = c.req.param();
    return isPossible(namespace, name) ? next() : Promise.resolve(sendStatus(c, notFound(name)));
  });
  addDiscovery(app);
  addOpenApi(app);
  app.get(ALL, list);
  app.get(COLLECTION, list).post(create).delete(removeAll);
  app.get(OBJECT, get).put(replace).patch(patch).delete(remove);
  for (const path of [ALL, COLLECTION, OBJECT]) app.all(path, (c) => sendStatus(c, NOT_ALLOWED));
  for (const path of ['/api/*', '/apis/*', '/openapi/*']) app.all(path, (c) => sendStatus(c, NO_SUCH_RESOURCE));
  return app;
}
