import type { PartialView } from '../table/view-fields.ts';

/** The view of whoever signs requests as an IAM role or user. */
export interface PrincipalRecord {
  /** As `principalArn` writes it. */
  readonly arn: string;
  readonly label: string;
  /** What differs from the view of the settings. */
  readonly view: PartialView;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** What credentials are looked up by. Rejects when the store is out of reach. */
export interface PrincipalReader {
  byArn(arn: string, signal: AbortSignal): Promise<PrincipalRecord | undefined>;
}

/** Principals from an administrator's side. @throws RegistryUnavailableError when the store is out of reach. */
export interface PrincipalStore {
  /** Whether it was there before. `createdAt` stays what it was. */
  put(record: PrincipalRecord, signal: AbortSignal): Promise<{ record: PrincipalRecord; replaced: boolean }>;
  list(signal: AbortSignal): Promise<readonly PrincipalRecord[]>;
  get(arn: string, signal: AbortSignal): Promise<PrincipalRecord | undefined>;
  /** Whether it was there. */
  remove(arn: string, signal: AbortSignal): Promise<boolean>;
}

const LONGEST_ARN = 2048;
const ARN = /^arn:(aws[a-z-]*):(iam|sts)::(\d{12}):(role|user|assumed-role)\/([\w+=,.@/-]+)$/;

/**
 * The role or user that an ARN is about, in one spelling: a session of a role is that role, and the path of a role is
 * left out, because sessions do not tell it (names of roles are unique within an account). Undefined for others.
 */
export function principalArn(text: string): string | undefined {
  const match = text.length <= LONGEST_ARN ? ARN.exec(text) : null;
  if (!match) return undefined;
  const [, partition, service, account, type, rest = ''] = match;
  const parts = rest.split('/');
  if (parts.includes('')) return undefined;
  if (type === 'assumed-role') {
    return service === 'sts' && parts.length === 2 ? `arn:${partition}:iam::${account}:role/${parts[0]}` : undefined;
  }
  return service === 'iam' ? `arn:${partition}:iam::${account}:${type}/${parts.at(-1)}` : undefined;
}
