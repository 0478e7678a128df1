import type { Resolution } from './claim.ts';

export type ApiVersion = 'networking.istio.io/v1' | 'networking.istio.io/v1beta1' | 'networking.istio.io/v1alpha3';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Kubernetes' ObjectMeta without `managedFields`, which nobody writes here. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly generateName?: string;
  readonly selfLink?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** RFC 3339, as are all time stamps. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

export interface ServiceEntryPort {
  readonly name: string;
  readonly number: number;
  /** In any case; absent or empty leaves it to sniffing. */
  readonly protocol?: string;
  readonly targetPort?: number;
}

/** An endpoint of a ServiceEntry. */
export interface WorkloadEntry {
  /** An IP, a name (resolution DNS), or `unix://…` (resolution STATIC). */
  readonly address?: string;
  /** Port name of the entry → port number of this endpoint. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly network?: string;
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}

export interface WorkloadSelector {
  readonly labels?: Readonly<Record<string, string>>;
}

export type Location = 'MESH_EXTERNAL' | 'MESH_INTERNAL';

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly ServiceEntryPort[];
  readonly location?: Location;
  /** Absent means NONE. */
  readonly resolution?: Resolution;
  readonly endpoints?: readonly WorkloadEntry[];
  readonly workloadSelector?: WorkloadSelector;
  readonly exportTo?: readonly string[];
  readonly subjectAltNames?: readonly string[];
}

/** An allocated address; the IPv4 of a host stands before its IPv6. */
export interface StatusAddress {
  readonly value: string;
  readonly host: string;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** Written by the registry alone; never taken from a manifest. */
export interface ServiceEntryStatus {
  readonly observedGeneration?: number;
  readonly addresses?: readonly StatusAddress[];
  readonly conditions?: readonly Condition[];
}

export interface ServiceEntry {
  readonly apiVersion: ApiVersion;
  readonly kind: 'ServiceEntry';
  readonly metadata: ObjectMeta;
  readonly spec: ServiceEntrySpec;
  readonly status?: ServiceEntryStatus;
}
