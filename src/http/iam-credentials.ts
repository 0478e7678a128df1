import { type PrincipalReader, principalArn } from '../registry/principals.ts';
import type { View } from '../table/view.ts';
import { CredentialLookup, type Looked, type LookupOptions } from './credential-lookup.ts';
import type { ClientCredential, Credentials } from './credentials.ts';
import { whenKnown } from './message.ts';

/** No credential is anybody's. */
export const nobody: Credentials = {
  open: false,
  client: async ({ pathToken }) => ({ kind: pathToken === undefined ? 'unauthorized' : 'unknownPath' }),
  isAdministrator: () => false,
};

/** A principal's view, whole. */
interface KnownPrincipal {
  readonly view: View;
}

export type PrincipalLookup = CredentialLookup<KnownPrincipal>;

/** Principals by the ARN of their role or user; `view` is that of the settings. */
export const principalLookup = (principals: PrincipalReader, view: View, options: LookupOptions): PrincipalLookup =>
  new CredentialLookup(async (arn, signal) => {
    const record = await principals.byArn(arn, signal);
    return record && { view: { ...view, ...record.view } };
  }, options);

/**
 * For requests that a gateway lets through only when IAM allows their signer to ask: each signer with the view of its
 * role or user. One that has none asks as the view of the settings, since IAM lets it ask; but never because the store
 * cannot be read: the view of the settings may see more.
 */
export function iamPrincipalCredentials(principals: PrincipalLookup, view: View): Credentials {
  const credentialOf = (looked: Looked<KnownPrincipal>): ClientCredential => {
    if (looked.state === 'unavailable') return { kind: 'unavailable' };
    return { kind: 'view', view: looked.state === 'known' ? looked.value.view : view, chosenBy: 'header' };
  };
  return {
    ...nobody,
    client({ pathToken, principal }) {
      if (pathToken !== undefined) return { kind: 'unknownPath' };
      const arn = principalArn(principal ?? '');
      return arn === undefined ? credentialOf({ state: 'absent' }) : whenKnown(principals.find(arn), credentialOf);
    },
  };
}

/** For requests that a gateway lets through only when IAM allows their signer to administer. */
export const iamAdministrator: Credentials = { ...nobody, isAdministrator: () => true };
