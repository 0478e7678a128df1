import type { View } from '../table/view.ts';

/** Whom a request comes from, as far as it says. */
export interface Claimed {
  /** The first segment of `/{token}/dns-query`. */
  readonly pathToken?: string;
  readonly authorization?: string;
  /** Who has signed it, where a gateway has verified that. */
  readonly principal?: string;
}

export type ClientCredential =
  | {
      readonly kind: 'view';
      readonly view: View;
      /** What chose the view, and so what a cache in between must tell apart. */
      readonly chosenBy: 'settings' | 'path' | 'header';
    }
  /** A path token that is nobody's: as if the path did not exist. */
  | { readonly kind: 'unknownPath' }
  | { readonly kind: 'unauthorized' }
  /** It could be somebody's, but the store cannot be read: nobody may be told that it is nobody's. */
  | { readonly kind: 'unavailable' };

/** Who may ask, and who may administer. */
export interface Credentials {
  /** At once where nothing has to be looked up. `deadline` starts the clock of the whole query. */
  client(claimed: Claimed, deadline: () => AbortSignal): ClientCredential | Promise<ClientCredential>;
  /** @throws RegistryUnavailableError when it could be an administrator's token, but the store cannot be read. */
  isAdministrator(authorization: string | undefined): boolean | Promise<boolean>;
  /** No credential is asked for at all (`auth: none`, on loopback only). */
  readonly open: boolean;
}
