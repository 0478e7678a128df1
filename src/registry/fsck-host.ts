import type { Check, Finding, FsckContext } from './fsck.ts';
import { belowItem, hostItem, SUFFIXES } from './keys.ts';
import { type HeldVip, type HostState, signatureOf } from './state.ts';
import { suffixMembers } from './suffixes.ts';

const NONE: readonly Finding[] = [];

const claimsIn = (state: HostState, namespace: string) =>
  [...state.claims.values()].filter((claim) => claim.namespace === namespace);

/** Every namespace that the item of a host says anything of. */
export const namespacesOf = ({ claims, namespaces }: HostState): string[] => [
  ...new Set([...namespaces.keys(), ...[...claims.values()].map((claim) => claim.namespace)]),
];

function unwanted(host: string, namespace: string, vip: HeldVip, context: FsckContext): Finding {
  const pool = context.pools.find(({ id }) => id === vip.poolId);
  const holder = { namespace, host, until: context.now + context.tombstoneMs };
  return {
    code: 'VipUnwanted',
    severity: 'error',
    items: [hostItem(host)],
    message: `host "${host}" has ${vip.ipv4} in namespace "${namespace}", where nothing wants a virtual IP for it`,
    ...(pool ? { mend: { kind: 'settle', pool, slot: vip.slot, holder, pointer: true } } : {}),
  };
}

/** What the entries of one namespace share of a host fits what they claim. */
export const checkNamespace =
  (host: string, namespace: string, context: FsckContext): Check =>
  (items) => {
    const state = items.host(host);
    if (!state) return NONE;
    const claims = claimsIn(state, namespace);
    const { vip, signature } = state.namespaces.get(namespace) ?? {};
    const isLive = vip !== undefined && vip.until === undefined;
    if (isLive && !claims.some((claim) => claim.wantsVip)) return [unwanted(host, namespace, vip, context)];
    if (claims.length === 0 || signature === signatureOf(claims, vip)) return NONE;
    const message = `the digest that guards host "${host}" in namespace "${namespace}" is not that of its claims`;
    const mend = { kind: 'sign', host, namespace } as const;
    return [{ code: 'SignatureDiffers', severity: 'error', items: [hostItem(host)], message, mend }];
  };

/** The item of a host that no entry claims any more and that remembers no VIP. */
export const checkEmpty =
  (host: string): Check =>
  (items) => {
    const state = items.host(host);
    if (!state || state.claims.size > 0 || state.namespaces.size === 0) return NONE;
    if ([...state.namespaces.values()].some(({ vip }) => vip)) return NONE;
    const message = `no entry claims host "${host}", and it has no virtual IP to come back to`;
    const found = [hostItem(host)];
    return [{ code: 'EmptyHost', severity: 'leftover', items: found, message, mend: { kind: 'retireHost', host } }];
  };

/** A view looks for the host only if its suffixes are known to be somebody's who is exported to it. */
export const checkSuffixes =
  (host: string): Check =>
  (items) => {
    const state = items.host(host);
    const known = items.suffixes();
    if (!state || !known || state.claims.size === 0) return NONE;
    if ([...state.claims.values()].flatMap(suffixMembers).every((member) => known.has(member))) return NONE;
    const message = `host "${host}" is not found: the set of what can be registered does not cover it`;
    const mend = { kind: 'makeFindable', host } as const;
    return [{ code: 'NotFindable', severity: 'error', items: [hostItem(host), SUFFIXES], message, mend }];
  };

/** A name above the host exists for whoever may know the host (RFC 8020). */
export const checkScopes =
  (host: string, name: string, scopes: ReadonlySet<string>): Check =>
  (items) => {
    const state = items.host(host);
    const known = items.scopes(name);
    if (!state || !known || state.claims.size === 0 || scopes.isSubsetOf(known)) return NONE;
    const message = `"${name}" does not exist for everybody who may know host "${host}" below it`;
    const mend = { kind: 'makeFindable', host } as const;
    return [{ code: 'NotFindable', severity: 'error', items: [hostItem(host), belowItem(name)], message, mend }];
  };
