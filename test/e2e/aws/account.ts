import { randomBytes } from 'node:crypto';
import { Policy, type PolicyDocument } from './policy.ts';
import { accessDenied } from './refusal.ts';
import type { AccessKey } from './signature.ts';

export const ACCOUNT = '123456789012';
export const REGION = 'us-east-1';

/** What IAM did not allow. */
export interface Refused {
  readonly arn: string;
  readonly action: string;
  readonly resource: string;
}

/** The role of a session; a user is itself. */
function principalOf(arn: string): string {
  const role = /:assumed-role\/([^/]+)\//.exec(arn)?.[1];
  return role === undefined ? arn : `arn:aws:iam::${ACCOUNT}:role/${role}`;
}

/** Users and roles of one account, their keys and what they may do. */
export class Account {
  readonly keys = new Map<string, AccessKey>();
  /** Everything that was refused, and nobody may have noticed. */
  readonly refused: Refused[] = [];
  /** By principal, what it was allowed so far; roles over all their sessions and policies. */
  readonly used = new Map<string, Set<string>>();
  readonly #policies = new Map<string, Policy>();

  /** A user with a key of its own. */
  createUser(name: string, document: PolicyDocument): AccessKey {
    const arn = `arn:aws:iam::${ACCOUNT}:user/${name}`;
    this.#policies.set(arn, new Policy([document]));
    return this.#createKey(arn, {});
  }

  putRole(name: string, documents: readonly PolicyDocument[]): string {
    const arn = `arn:aws:iam::${ACCOUNT}:role/${name}`;
    this.#policies.set(arn, new Policy(documents));
    return arn;
  }

  deleteRole(name: string): void {
    this.#policies.delete(`arn:aws:iam::${ACCOUNT}:role/${name}`);
  }

  /** What the metadata service gives an instance, and Lambda an environment. */
  assumeRole(roleArn: string, session: string): AccessKey {
    const role = roleArn.split('/').at(-1);
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${session}`;
    return this.#createKey(arn, { sessionToken: randomBytes(48).toString('base64') });
  }

  policyOf(arn: string): Policy | undefined {
    return this.#policies.get(principalOf(arn));
  }

  isAllowed(arn: string, action: string, resource: string, context?: Readonly<Record<string, string>>): boolean {
    const allowed = this.policyOf(arn)?.allows(action, resource, context) ?? false;
    if (allowed) this.used.set(principalOf(arn), (this.used.get(principalOf(arn)) ?? new Set()).add(action));
    else this.refused.push({ arn, action, resource });
    return allowed;
  }

  /** @throws Refusal */
  demand(arn: string, action: string, resource: string, context?: Readonly<Record<string, string>>): void {
    if (!this.isAllowed(arn, action, resource, context)) throw accessDenied(arn, action, resource);
  }

  #createKey(arn: string, session: { sessionToken?: string }): AccessKey {
    const id = `${session.sessionToken === undefined ? 'AKIA' : 'ASIA'}${randomBytes(8).toString('hex').toUpperCase()}`;
    const key = { id, secret: randomBytes(30).toString('base64'), arn, ...session };
    this.keys.set(id, key);
    return key;
  }
}
