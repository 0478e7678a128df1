import * as z from 'zod';
import type { FieldError, PathSegment } from './field-error.ts';
import {
  formatPath,
  invalid,
  notSupported,
  required,
  shown,
  tooLong,
  tooMany,
  unknownField,
  wrongType,
} from './field-error.ts';
import type { ServiceEntry } from './service-entry.ts';

// The bounds are those of Istio's CustomResourceDefinition; what needs more than one field, or a parser, is a rule.

const texts = z.record(z.string(), z.string());
const optionalTexts = texts.exactOptional();
const optionalText = z.string().exactOptional();
const timeStamp = z.iso.datetime({ offset: true }).exactOptional();

const port = z.strictObject({
  name: z.string().max(256).describe('Label of the port, unique within the entry.'),
  number: z.int().describe('A port number, 1 to 65535, unique within the entry.'),
  protocol: z.string().max(256).describe('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS or UDP.').exactOptional(),
  targetPort: z.int().describe('The port at the endpoints, where it is another one.').exactOptional(),
});

const endpoint = z.strictObject({
  address: z.string().max(256).describe('An IP address, a host name, or unix:///path.').exactOptional(),
  ports: z.record(z.string(), z.int()).describe('Port numbers of this endpoint, by port name.').exactOptional(),
  labels: optionalTexts,
  network: z.string().max(2048).describe('The network that the endpoint is in.').exactOptional(),
  locality: z.string().max(2048).describe('region/zone/subzone of the endpoint.').exactOptional(),
  weight: z.int().min(0).max(4_294_967_295).describe('Its share of the traffic; 0 for none.').exactOptional(),
  serviceAccount: z.string().max(253).describe('The service account of the workload.').exactOptional(),
});

const spec = z.strictObject({
  hosts: z.array(z.string()).min(1).max(256).describe('The names that clients ask for: exact, or *.suffix.'),
  addresses: z
    .array(z.string().max(64))
    .max(256)
    .describe('IP addresses or CIDRs of the hosts. Without them, most hosts are given a virtual IP.')
    .exactOptional(),
  ports: z.array(port).max(256).describe('The ports of the service.').exactOptional(),
  location: z
    .enum(['MESH_EXTERNAL', 'MESH_INTERNAL'])
    .describe('Whether the service is outside the mesh or part of it.')
    .exactOptional(),
  resolution: z
    .enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'])
    .describe('How the endpoints of the hosts are found. NONE, the default, leaves the hosts alone.')
    .exactOptional(),
  endpoints: z.array(endpoint).max(4096).describe('Where the service runs.').exactOptional(),
  workloadSelector: z
    .strictObject({ labels: optionalTexts })
    .describe('Selects the workloads of the service by their labels.')
    .exactOptional(),
  exportTo: z
    .array(z.string())
    .describe('Namespaces that see the entry: "*" for all, "." for its own, "~" for none, or their names.')
    .exactOptional(),
  subjectAltNames: z.array(z.string()).describe('Names that the server may show in its certificate.').exactOptional(),
});

const ownerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().exactOptional(),
  blockOwnerDeletion: z.boolean().exactOptional(),
});

/** Not strict, as in Kubernetes: unknown fields, and `managedFields`, are left out without a word. */
const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  generateName: optionalText,
  selfLink: optionalText,
  uid: optionalText,
  resourceVersion: optionalText,
  generation: z.int().exactOptional(),
  creationTimestamp: timeStamp,
  deletionTimestamp: timeStamp,
  deletionGracePeriodSeconds: z.int().exactOptional(),
  labels: optionalTexts,
  annotations: optionalTexts,
  ownerReferences: z.array(ownerReference).exactOptional(),
  finalizers: z.array(z.string()).exactOptional(),
});

const identity = {
  apiVersion: z.enum(['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3']),
  kind: z.literal('ServiceEntry'),
};

const kindOnly = z.object(identity);
const serviceEntry = z.strictObject({ ...identity, metadata, spec });

/** What the registry writes: never taken, but shown. */
const status = z.object({
  observedGeneration: z.int().exactOptional(),
  addresses: z
    .array(z.object({ value: z.string(), host: z.string() }))
    .describe('The virtual IPs that hosts of the entry were given.')
    .exactOptional(),
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.enum(['True', 'False', 'Unknown']),
        reason: optionalText,
        message: optionalText,
        lastTransitionTime: timeStamp,
      }),
    )
    .exactOptional(),
});

/** The sections of a ServiceEntry as schemas of OpenAPI 3.0. */
export const serviceEntrySections = () => {
  const schemaOf = (section: z.ZodType) => z.toJSONSchema(section, { target: 'openapi-3.0', io: 'input' });
  return { metadata: schemaOf(metadata), spec: schemaOf(spec), status: schemaOf(status) };
};

export type Shape =
  | { readonly ok: true; readonly entry: ServiceEntry }
  | {
      readonly ok: false;
      readonly errors: readonly FieldError[];
      /** Where values are of the wrong type, so that no rule can judge them. */
      readonly wrong: readonly (readonly PathSegment[])[];
    };

/** Checks shape and bounds. Another kind of object is told only that it is one. */
export function checkShape(input: unknown): Shape {
  const kind = kindOnly.safeParse(input, { reportInput: true });
  const wrongKind = !kind.success && kind.error.issues.some(({ path }) => path[0] !== 'apiVersion');
  const result = wrongKind ? kind : serviceEntry.safeParse(input, { reportInput: true });
  if (result.success) return { ok: true, entry: result.data as ServiceEntry };
  const problems = result.error.issues;
  return {
    ok: false,
    errors: problems.flatMap(fieldErrors),
    wrong: problems.filter(isWrongValue).map(({ path }) => path as PathSegment[]),
  };
}

/** Where fields stand that the kind does not know: a lenient client wants them left out. */
export function unknownFields(input: unknown): PathSegment[][] {
  const problems = serviceEntry.safeParse(input).error?.issues ?? [];
  return problems
    .flatMap((problem) =>
      problem.code === 'unrecognized_keys' ? problem.keys.map((key) => [...problem.path, key]) : [],
    )
    .filter(([first]) => first !== 'status') as PathSegment[][];
}

type Problem = z.core.$ZodIssue;

const isMissing = (problem: Problem): boolean => problem.input === undefined;

const isWrongValue = (problem: Problem): boolean =>
  problem.code === 'invalid_value' || (problem.code === 'invalid_type' && !isMissing(problem));

const NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function typeError(path: string, problem: z.core.$ZodIssueInvalidType): FieldError {
  const expected = NAMES[problem.expected] ?? problem.expected;
  if (isMissing(problem)) return required(path, expected);
  const unquoted = problem.expected === 'string' && ['boolean', 'number'].includes(typeof problem.input);
  const advice = unquoted ? ` (quote it: "${shown(problem.input)}")` : '';
  return wrongType(path, problem.input, `must be ${expected}${advice}`);
}

function boundError(path: string, problem: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): FieldError {
  if (problem.code === 'too_small') {
    return problem.origin === 'array'
      ? required(path, `at least ${problem.minimum} item`)
      : invalid(path, problem.input, `must be at least ${problem.minimum}`);
  }
  const limit = Number(problem.maximum);
  if (problem.origin === 'string') return tooLong(path, `${limit} characters`);
  if (Array.isArray(problem.input)) return tooMany(path, problem.input.length, limit);
  return invalid(path, problem.input, `must be at most ${limit}`);
}

function fieldErrors(problem: Problem): FieldError[] {
  const segments = problem.path as PathSegment[];
  const path = formatPath(segments);
  switch (problem.code) {
    case 'unrecognized_keys':
      return problem.keys.map((key) => unknownField(formatPath([...segments, key]), key));
    case 'invalid_type':
      return [typeError(path, problem)];
    case 'invalid_value':
      return [
        isMissing(problem)
          ? required(path, `one of ${problem.values.map(shown).join(', ')}`)
          : notSupported(path, problem.input, problem.values.map(String)),
      ];
    case 'too_big':
    case 'too_small':
      return [boundError(path, problem)];
    case 'invalid_format':
      return [invalid(path, problem.input, 'must be a date and time of RFC 3339')];
    default:
      return [invalid(path, problem.input, problem.message)];
  }
}
