import type { ClaimPort, HostClaim } from '../serviceentry/claim.ts';
import type { HostAnswer, HostRecord, NamespaceRecord, VipAddresses } from './host.ts';
import type { View } from './view.ts';

/** `exportTo` as Istio reads it: absent or `*` all, `.` the entry's own namespace, `~` nobody, else a namespace. */
export function isExportedTo(claim: HostClaim, namespace: string): boolean {
  if (claim.exportTo.length === 0) return true;
  return claim.exportTo.some(
    (target) => target === '*' || target === namespace || (target === '.' && claim.namespace === namespace),
  );
}

const carriesVip = (view: View, claim: HostClaim): boolean =>
  claim.resolution === 'DYNAMIC_DNS' ? view.vips === 'proxy' : view.vips !== false;

const vipAddresses = (vip: VipAddresses, view: View): string[] => view.families.map((family) => vip[family]);

type ClaimAnswer = Pick<HostAnswer, 'owned' | 'addresses' | 'vip'>;

const NOT_OWNED: ClaimAnswer = { owned: false, addresses: [], vip: false };

/** One row of the table "what a host answers". */
function answerOfClaim(claim: HostClaim, vip: VipAddresses | undefined, view: View): ClaimAnswer {
  if (claim.addresses.length > 0) return { owned: true, addresses: claim.addresses, vip: false };
  if (claim.resolution === 'NONE') return NOT_OWNED;
  if (claim.wantsVip && vip && carriesVip(view, claim)) {
    return { owned: true, addresses: vipAddresses(vip, view), vip: true };
  }
  if (claim.resolution === 'STATIC') return { owned: true, addresses: claim.endpoints, vip: false };
  return NOT_OWNED;
}

function mergedPorts(claims: readonly HostClaim[]): ClaimPort[] {
  const byNumber = new Map<number, ClaimPort>();
  for (const port of claims.flatMap((claim) => claim.ports)) {
    if (!byNumber.has(port.number)) byNumber.set(port.number, port);
  }
  return [...byNumber.values()];
}

/** The oldest first, ties by namespace and name. */
export const byAge = (a: HostClaim, b: HostClaim): number =>
  a.createdAt === b.createdAt
    ? compareText(`${a.namespace}/${a.entry}`, `${b.namespace}/${b.entry}`)
    : compareText(a.createdAt, b.createdAt);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function namespaceAnswer(host: string, record: NamespaceRecord, visible: readonly HostClaim[], view: View): HostAnswer {
  const claims = [...visible].sort(byAge);
  const answers = claims.map((claim) => answerOfClaim(claim, record.vip, view)).filter((answer) => answer.owned);
  const vip = answers.find((answer) => answer.vip);
  const ttl = claims.find((claim) => claim.ttl !== undefined)?.ttl;
  return {
    host,
    namespace: record.namespace,
    owned: answers.length > 0,
    addresses: vip ? vip.addresses : [...new Set(answers.flatMap((answer) => answer.addresses))],
    vip: vip !== undefined,
    ports: mergedPorts(claims),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

/**
 * A host as `view` sees it, or undefined when nothing of it is exported there. Of several namespaces that answer,
 * the view's own wins, then the one with the oldest entry (ties by namespace and name).
 */
export function visibleHost(record: HostRecord, view: View): HostAnswer | undefined {
  const candidates = record.namespaces.flatMap((namespace) => {
    const visible = namespace.claims.filter((claim) => isExportedTo(claim, view.namespace));
    const oldest = [...visible].sort(byAge)[0];
    return oldest ? [{ oldest, answer: namespaceAnswer(record.host, namespace, visible, view) }] : [];
  });
  candidates.sort(
    (a, b) =>
      Number(b.answer.owned) - Number(a.answer.owned) ||
      Number(b.answer.namespace === view.namespace) - Number(a.answer.namespace === view.namespace) ||
      byAge(a.oldest, b.oldest),
  );
  return candidates[0]?.answer;
}
