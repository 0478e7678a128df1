/** Users that resolvers run as in the distributions: what they ask must not come back to them. */
const RESOLVER_USERS = [
  'systemd-resolve',
  'dnsmasq',
  'libvirt-dnsmasq',
  'unbound',
  'bind',
  'named',
  'knot-resolver',
  'pdns',
  'pdns-recursor',
  '_dnsdist',
  'dnscrypt-proxy',
];

const ROOT_UID = 0;

/** A user of the settings that does not exist. */
export class UnknownUserError extends Error {
  override readonly name = 'UnknownUserError';
}

/**
 * The user ids left alone: resolvers known by name, whoever serves port 53 of this host, and those of the settings.
 * Root only when the settings name it: programs of root would not be captured.
 *
 * @throws UnknownUserError
 */
export function exemptUids(users: readonly string[], passwd: string, dnsServerUids: readonly number[]): number[] {
  const uids = uidsByName(passwd);
  const known = RESOLVER_USERS.flatMap((name) => uids.get(name) ?? []);
  const serving = dnsServerUids.filter((uid) => uid !== ROOT_UID);
  return [...new Set([...known, ...serving, ...users.map((user) => uidOf(user, uids))])].toSorted((a, b) => a - b);
}

function uidOf(user: string, uids: ReadonlyMap<string, number>): number {
  const uid = /^[0-9]+$/.test(user) ? Number(user) : uids.get(user);
  if (uid === undefined) throw new UnknownUserError(`"exempt-user" is "${user}", and there is no such user`);
  return uid;
}

/** passwd(5) */
function uidsByName(passwd: string): Map<string, number> {
  const uids = new Map<string, number>();
  for (const line of passwd.split('\n')) {
    const [name = '', , uid = ''] = line.split(':');
    if (/^[0-9]+$/.test(uid)) uids.set(name, Number(uid));
  }
  return uids;
}

const DNS_PORT_HEX = '0035';

/** The sockets bound to port 53, from the text of `/proc/net/udp` or `udp6`: address in hexadecimal, and owner. */
export const dnsSockets = (procNetUdp: string): { readonly address: string; readonly uid: string }[] =>
  procNetUdp.split('\n').flatMap((line) => {
    const [, local = '', , , , , , uid = ''] = line.trim().split(/\s+/);
    const [address = '', port] = local.split(':');
    return port === DNS_PORT_HEX ? [{ address, uid }] : [];
  });

/** Their owners. */
export const dnsServerUids = (procNetUdp: string): number[] => [
  ...new Set(dnsSockets(procNetUdp).flatMap(({ uid }) => (/^[0-9]+$/.test(uid) ? [Number(uid)] : []))),
];
