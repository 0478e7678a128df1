import type { HostAnswer, HostRecord, NamespaceRecord } from '../table/host.ts';
import type { View } from '../table/view.ts';
import { byAge, isExportedTo, visibleHost } from '../table/visible.ts';

type HostClaim = NamespaceRecord['claims'][number];

/** What becomes of one entry's claim to a host. */
export type Verdict =
  | 'answers'
  /** `exportTo` keeps it from the view: for the view it does not exist. */
  | 'notExported'
  /** The view sees it, but it has no address for this view. */
  | 'noAnswer'
  /** Another namespace's entries answer for the host. */
  | 'otherNamespace'
  /** Another host answers for the name. */
  | 'shadowed';

export interface ExplainedEntry {
  /** `namespace/name`. */
  readonly entry: string;
  readonly resolution: string;
  readonly exportTo: readonly string[];
  readonly createdAt: string;
  readonly verdict: Verdict;
  /** A sentence for people. */
  readonly because: string;
}

/** A registered host that matches the name. */
export interface ExplainedHost {
  readonly host: string;
  /** Whether readers look for it: one that is registered and not looked for is a fault, which `fsck` repairs. */
  readonly inSuffixSet: boolean;
  /** The oldest first. */
  readonly entries: readonly ExplainedEntry[];
}

const nameOf = ({ namespace, entry }: HostClaim): string => `${namespace}/${entry}`;

/** The host as it would be if this claim were the only one. */
const alone = (host: string, { namespace, vip }: NamespaceRecord, claim: HostClaim): HostRecord => ({
  host,
  namespaces: [{ namespace, claims: [claim], ...(vip ? { vip } : {}) }],
});

function whyNoAnswer({ resolution, wantsVip }: HostClaim, { vip }: NamespaceRecord, view: View): string {
  if (resolution === 'NONE') return 'it has no address, and resolution NONE gets no virtual IP';
  if (!wantsVip) return 'it has no address, and gets no virtual IP (opted out by label, CIDRs, or a wildcard host)';
  if (!vip) return 'its virtual IP is missing: "meshdoh fsck --repair" finds out why';
  if (resolution === 'DYNAMIC_DNS')
    return 'its virtual IP is for views whose traffic an L7 proxy carries (vips: proxy)';
  return `it has nothing but a virtual IP, and the view carries none (vips: ${view.vips})`;
}

function whyOther(claim: HostClaim, record: HostRecord, winner: HostAnswer, view: View): string {
  if (winner.namespace === view.namespace) return `namespace "${winner.namespace}" is the view's own, and answers`;
  const claims = record.namespaces.find(({ namespace }) => namespace === winner.namespace)?.claims ?? [];
  const oldest = claims.filter((one) => isExportedTo(one, view.namespace)).sort(byAge)[0];
  const than = oldest && byAge(oldest, claim) < 0 ? ', which is older' : '';
  return `${oldest ? nameOf(oldest) : `namespace "${winner.namespace}"`} answers${than}`;
}

interface Judged {
  readonly verdict: Verdict;
  readonly because: string;
}

/** `matched` is the host that answers for the name, where one does. */
function judge(
  claim: HostClaim,
  own: NamespaceRecord,
  record: HostRecord,
  view: View,
  matched: string | undefined,
): Judged {
  const answer = visibleHost(alone(record.host, own, claim), view);
  const winner = visibleHost(record, view);
  if (!answer || !winner) {
    const list = claim.exportTo.join(', ');
    return { verdict: 'notExported', because: `exportTo (${list}) does not include namespace "${view.namespace}"` };
  }
  if (!answer.owned) return { verdict: 'noAnswer', because: whyNoAnswer(claim, own, view) };
  if (claim.namespace !== winner.namespace) {
    return { verdict: 'otherNamespace', because: whyOther(claim, record, winner, view) };
  }
  if (matched !== undefined && matched !== record.host) {
    return { verdict: 'shadowed', because: `host "${matched}" matches the name better` };
  }
  return { verdict: 'answers', because: answer.vip ? 'with its virtual IP' : 'with its addresses' };
}

/** Every claim to a host, and what becomes of it. */
export function explainHost(
  record: HostRecord,
  inSuffixSet: boolean,
  view: View,
  matched: string | undefined,
): ExplainedHost {
  const claims = record.namespaces.flatMap((own) => own.claims.map((claim) => ({ own, claim })));
  claims.sort((a, b) => byAge(a.claim, b.claim));
  const entries = claims.map(({ own, claim }) => ({
    entry: nameOf(claim),
    resolution: claim.resolution,
    exportTo: claim.exportTo,
    createdAt: claim.createdAt,
    ...judge(claim, own, record, view, matched),
  }));
  return { host: record.host, inSuffixSet, entries };
}
