import type { Hono } from 'hono';
import { NO_SUCH_RESOURCE, sendStatus } from '../api.ts';
import { GROUP } from '../status.ts';
import { apiVersionOf, isVersion, KIND, PLURAL, VERSIONS } from './resource.ts';

/** The Kubernetes whose ways the API follows: clients choose theirs by it. */
export const VERSION = {
  major: '1',
  minor: '27',
  gitVersion: 'v1.27.0+meshdoh',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '',
  goVersion: '',
  compiler: '',
  platform: '',
};

const CORE = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
/** Nothing of the core group is kept here, but its `List` is what kubectl exports, and has to know to take back. */
const CORE_RESOURCES = {
  kind: 'APIResourceList',
  groupVersion: 'v1',
  resources: [{ name: 'lists', singularName: 'list', namespaced: false, kind: 'List', verbs: [] }],
};

const versions = VERSIONS.map((version) => ({ groupVersion: apiVersionOf(version), version }));

const group = { name: GROUP, versions, preferredVersion: versions[0] };

const resources = (version: string) => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: apiVersionOf(version),
  resources: [
    {
      name: PLURAL,
      singularName: 'serviceentry',
      namespaced: true,
      kind: KIND,
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['se'],
      categories: ['istio-io', 'networking-istio-io'],
    },
  ],
});

/** What the API holds, in the documents by which Kubernetes' clients find out. */
export function addDiscovery(app: Hono): void {
  app.get('/version', (c) => c.json(VERSION));
  app.get('/api', (c) => c.json(CORE));
  app.get('/api/v1', (c) => c.json(CORE_RESOURCES));
  app.get('/apis', (c) => c.json({ kind: 'APIGroupList', apiVersion: 'v1', groups: [group] }));
  app.get(`/apis/${GROUP}`, (c) => c.json({ kind: 'APIGroup', apiVersion: 'v1', ...group }));
  app.get(`/apis/${GROUP}/:version`, (c) => {
    const { version } = c.req.param();
    return isVersion(version) ? c.json(resources(version)) : sendStatus(c, NO_SUCH_RESOURCE);
  });
}
