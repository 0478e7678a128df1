import { createHash, timingSafeEqual } from 'node:crypto';
import type { View } from '../table/view.ts';
import type { Credentials } from './credentials.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The token of `Authorization: Bearer …` (RFC 6750 section 2.1). */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  /^bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];

/** `auth: none`: whoever reaches the listener may ask and administer; it listens on loopback only. */
export function openCredentials(view: View): Credentials {
  return {
    open: true,
    client: ({ pathToken }) =>
      pathToken === undefined ? { kind: 'view', view, chosenBy: 'settings' } : { kind: 'unknownPath' },
    isAdministrator: () => true,
  };
}

/** `auth: tokens` with the administrator's token alone: it administers, and may ask as the view of the settings. */
export function adminTokenCredentials(adminToken: string, view: View): Credentials {
  const expected = digest(adminToken);
  const isAdministrator = (authorization: string | undefined): boolean => {
    const token = bearerToken(authorization);
    return token !== undefined && timingSafeEqual(digest(token), expected);
  };
  return {
    open: false,
    isAdministrator,
    client: ({ pathToken, authorization }) => {
      if (pathToken !== undefined) return { kind: 'unknownPath' };
      return isAdministrator(authorization) ? { kind: 'view', view, chosenBy: 'header' } : { kind: 'unauthorized' };
    },
  };
}
