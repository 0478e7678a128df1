import type { Rejection, RejectionReason } from '../registry/writer.ts';
import type { FieldError } from '../serviceentry/field-error.ts';

export const GROUP = 'networking.istio.io';

/** What a write did, in one word, for clients that report it: the status alone cannot tell configured from unchanged. */
export const OUTCOME_HEADER = 'meshdoh-outcome';

/** Kubernetes' `Status`: how its clients are told that something did not go as asked. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly uid?: string;
    readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field: string }[];
    readonly retryAfterSeconds?: number;
  };
  readonly code?: number;
}

export function failure(code: number, reason: string, message: string, details: Status['details'] = {}): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code };
}

export const success = (name: string, uid: string | undefined): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: { name, group: GROUP, kind: 'serviceentries', ...(uid === undefined ? {} : { uid }) },
});

/** An object with every error it has, as the API server words it. */
export function invalidObject(name: string, errors: readonly FieldError[]): Status {
  const sentences = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const list = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
  return failure(422, 'Invalid', `ServiceEntry.${GROUP} "${name}" is invalid: ${list}`, {
    name,
    group: GROUP,
    kind: 'ServiceEntry',
    causes: errors.map(({ path, reason, message }) => ({ reason, message, field: path })),
  });
}

/** 507: the request is right, but the pool has no room for it (RFC 4918 section 11.5). */
const CODES: Readonly<Record<RejectionReason, number>> = {
  AlreadyExists: 409,
  NotFound: 404,
  Conflict: 409,
  Invalid: 422,
  VipPoolExhausted: 507,
  TooLarge: 422,
};

export function rejectionStatus(name: string, { reason, message }: Rejection): Status {
  const text = reason === 'Invalid' ? `ServiceEntry.${GROUP} "${name}" is invalid: ${message}` : message;
  return failure(CODES[reason], reason, text, { name, group: GROUP, kind: 'serviceentries' });
}
