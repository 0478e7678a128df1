import type { View } from '../table/view.ts';
import type { Credentials } from './credentials.ts';

/** No credential is anybody's. */
export const nobody: Credentials = {
  open: false,
  client: async ({ pathToken }) => ({ kind: pathToken === undefined ? 'unauthorized' : 'unknownPath' }),
  isAdministrator: () => false,
};

/** For requests that a gateway lets through only when IAM allows their signer to ask. */
export const iamClient = (view: View): Credentials => ({
  ...nobody,
  client: async ({ pathToken }) =>
    pathToken === undefined ? { kind: 'view', view, chosenBy: 'header' } : { kind: 'unknownPath' },
});

/** For requests that a gateway lets through only when IAM allows their signer to administer. */
export const iamAdministrator: Credentials = { ...nobody, isAdministrator: () => true };
