import { GROUP } from '../http/status.ts';
import type { ManifestDocument } from '../serviceentry/manifest.ts';
import type { ApplyTarget, EntryKey } from './admin-client.ts';

/** What an object of a manifest is about, as far as it must be known to address it; or why it cannot be. */
export type TargetRead =
  | { readonly ok: true; readonly target: ApplyTarget }
  | { readonly ok: false; readonly problem: string };

export const DEFAULT_NAMESPACE = 'default';

const VERSIONS: readonly string[] = ['v1', 'v1beta1', 'v1alpha3'];

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const problem = (text: string): TargetRead => ({ ok: false, problem: text });

/** As Kubernetes judges what stands in a path; whether it is a good name is for the server to say. */
export function nameProblem(what: string, name: string): string | undefined {
  const why =
    name === '.' || name === '..' ? `may not be "${name}"` : /[/%]/.exec(name) && 'may not contain "/" or "%"';
  return why ? `invalid ${what} ${JSON.stringify(name)}: ${why}` : undefined;
}

/** `namespace` is that of the command line, where one is given there. */
export function readTarget({ value }: ManifestDocument, namespace: string | undefined): TargetRead {
  if (!isObject(value)) return problem('it is not an object with apiVersion, kind and metadata');
  const { apiVersion, kind, metadata = {} } = value;
  if (typeof kind !== 'string' || kind === '') return problem('kind is not set');
  if (typeof apiVersion !== 'string' || apiVersion === '') return problem('apiVersion is not set');
  const version = VERSIONS.find((known) => apiVersion === `${GROUP}/${known}`);
  if (kind !== 'ServiceEntry' || version === undefined) return problem(unsupported(kind, apiVersion));
  const key = readKey(metadata, namespace);
  return typeof key === 'string' ? problem(key) : { ok: true, target: { ...key, version, value } };
}

/** Namespace and name, or what is wrong with them. */
function readKey(metadata: unknown, asked: string | undefined): EntryKey | string {
  if (!isObject(metadata)) return 'metadata is not an object';
  const { name, namespace: own = null } = metadata;
  if (typeof name !== 'string' || name === '') return 'metadata.name is not set';
  if (own !== null && typeof own !== 'string') return 'metadata.namespace is not a text';
  if (own && asked && own !== asked) return mismatch(own, asked);
  const namespace = own || asked || DEFAULT_NAMESPACE;
  return nameProblem('name', name) ?? nameProblem('namespace', namespace) ?? { namespace, name };
}

const unsupported = (kind: string, apiVersion: string): string =>
  `no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}: ` +
  `meshdoh takes ServiceEntry in ${VERSIONS.map((version) => `${GROUP}/${version}`).join(', ')}`;

const mismatch = (own: string, asked: string): string =>
  `the namespace from the provided object ${JSON.stringify(own)} does not match the namespace ` +
  `${JSON.stringify(asked)}. You must pass '--namespace=${own}' to perform this operation.`;
