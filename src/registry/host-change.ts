import type { HostClaim } from '../serviceentry/claim.ts';
import type { HostCondition } from './action.ts';
import { meet } from './scopes.ts';
import { type HeldVip, type HostState, NO_NAMESPACE, signatureOf } from './state.ts';
import type { Rejection } from './writer.ts';

/** What becomes of the VIP that a host has, or has not, in the namespace of the entry. */
export type VipStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'keep'; readonly vip: HeldVip }
  | { readonly kind: 'allocate' }
  | { readonly kind: 'revive'; readonly vip: HeldVip }
  | { readonly kind: 'release'; readonly vip: HeldVip };

export interface HostStep {
  readonly host: string;
  /** What the entry claims of it now. */
  readonly before: HostClaim | undefined;
  readonly after: HostClaim | undefined;
  /** Claims of other entries of the same namespace. */
  readonly others: readonly HostClaim[];
  readonly vip: VipStep;
}

const isAddressed = (claim: HostClaim): boolean => claim.addresses.length + claim.cidrs.length > 0;

function portClash(claim: HostClaim, other: HostClaim): string | undefined {
  for (const port of claim.ports) {
    const theirs = other.ports.find((candidate) => candidate.number === port.number);
    if (!theirs) continue;
    if (theirs.protocol !== port.protocol) {
      return `port ${port.number} is ${theirs.protocol || 'unset'} there and ${port.protocol || 'unset'} here`;
    }
    if ((theirs.targetPort ?? theirs.number) !== (port.targetPort ?? port.number)) {
      return `port ${port.number} has another targetPort there`;
    }
  }
  return undefined;
}

/** Entries of different namespaces may disagree; whoever sees both gets one of them (Istio's IST0177). */
export function protocolCautions(claim: HostClaim, { claims }: HostState): string[] {
  const strangers = [...claims.values()].filter((other) => other.namespace !== claim.namespace && meet(claim, other));
  return strangers.flatMap((other) =>
    claim.ports.flatMap(({ number, protocol }) => {
      const theirs = other.ports.find((port) => port.number === number);
      if (!theirs || theirs.protocol === protocol) return [];
      return (
        `spec.ports: port ${number} of host "${claim.host}" is ${protocol || 'unset'} here and ${theirs.protocol || 'unset'} in ` +
        `ServiceEntry ${other.namespace}/${other.entry}, and a namespace that sees both goes by one of them`
      );
    }),
  );
}

/** Two entries of a namespace share a host only if one listener table can serve both. */
export function hostConflict(claim: HostClaim, others: readonly HostClaim[]): Rejection | undefined {
  for (const other of others) {
    const clash =
      portClash(claim, other) ??
      (isAddressed(claim) === isAddressed(other)
        ? undefined
        : `${isAddressed(other) ? 'that entry' : 'this entry'} has addresses and the other has not`);
    if (clash) {
      return {
        kind: 'rejected',
        reason: 'Invalid',
        message: `spec.hosts: host "${claim.host}" is also in ServiceEntry ${other.namespace}/${other.entry}: ${clash}`,
      };
    }
  }
  return undefined;
}

function vipStep(vip: HeldVip | undefined, wanted: boolean): VipStep {
  if (!vip) return { kind: wanted ? 'allocate' : 'none' };
  if (vip.until === undefined) return wanted ? { kind: 'keep', vip } : { kind: 'release', vip };
  return wanted ? { kind: 'revive', vip } : { kind: 'none' };
}

/**
 * What a host goes through so that `entry` claims `after` of it instead of `before`: a step that has been taken is
 * idle. A VIP lives while any claim of its namespace on the host qualifies, whichever entry it came with.
 */
export function stepOf(
  host: string,
  state: HostState,
  namespace: string,
  entry: string,
  { before, after }: Pick<HostStep, 'before' | 'after'>,
): HostStep {
  const others = [...state.claims].flatMap(([key, claim]) =>
    key !== entry && claim.namespace === namespace ? [claim] : [],
  );
  const wanted = [...others, ...(after ? [after] : [])].some((claim) => claim.wantsVip);
  return { host, before, after, others, vip: vipStep(state.namespaces.get(namespace)?.vip, wanted) };
}

/** What the namespace will agree on after the step, and what the step therefore demands of it. */
export function agreementOf(
  step: HostStep,
  state: HostState,
  namespace: string,
  vip: HeldVip | undefined,
): { signature: string; condition: HostCondition } {
  const { revision, signature: before } = state.namespaces.get(namespace) ?? NO_NAMESPACE;
  const signature = signatureOf([...step.others, ...(step.after ? [step.after] : [])], vip);
  // A claim that goes, or that no longer wants the VIP, may be the last of its kind: it has to see every other change.
  const joins = step.after !== undefined && (step.vip.kind !== 'keep' || step.after.wantsVip);
  const condition: HostCondition =
    joins && before !== undefined && signature === before
      ? { kind: 'signature', signature }
      : { kind: 'revision', revision };
  return { signature, condition };
}
