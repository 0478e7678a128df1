import { isIPv4 } from 'node:net';

/** Ours alone. The forwarding of virtual IPs lives in another one, which outlives the shim. */
export const DNS_TABLE = 'mesh_dns';
/** A datagram of our user to here arms the redirect for `ARMED_MS`. Nothing is ever delivered there. */
export const BEAT_ADDRESS = '127.0.53.53';
/** And one to here disarms it. */
export const DISARM_ADDRESS = '127.0.53.54';
/** Two beats and a half: one lost or late is nothing, and a dead shim is passed by within three seconds. */
export const ARMED_MS = 2500;
/** Half a router's default conntrack zones are 0; this one is for captured queries only. */
const ZONE = 53;

export interface NftRuleset {
  /** User id of the shim: it arms, and is never captured. */
  readonly ownUid: number;
  /** User ids of resolvers on this host, whose own questions would come back to them. */
  readonly exemptUids: readonly number[];
  /** Where the shim listens on loopback: the same port, at most one address of a family. */
  readonly redirect: { readonly port: number; readonly addresses: readonly string[] };
  /** Interfaces where the shim listens on the bridge's own addresses. */
  readonly bridges: readonly string[];
}

/**
 * The whole capture as one transaction for `nft -f -`, which may run any number of times.
 *
 * - The redirect looks its port up in `alive`, whose element dies unless our user renews it: a shim that is dead or
 *   hung is passed by, with nobody there to delete anything. It begins alive, so that a reapply has no gap.
 * - Only captured queries go to a conntrack zone of their own, and only in the original direction. Without it our own
 *   query from the port that a program has just used would follow that program's redirect, back to us; with it for
 *   every query, a socket opened before the capture would never be captured.
 * - A redirect on a bridge leads to the bridge's own address; the guard keeps everybody else from using us there.
 */
export function nftRuleset({ ownUid, exemptUids, redirect, bridges }: NftRuleset): string {
  const exempt = [...new Set([ownUid, ...exemptUids])].toSorted((a, b) => a - b).join(', ');
  const families = familyMatch(redirect.addresses);
  const captured = `${families}meta l4proto { tcp, udp } th dport @alive redirect to :${redirect.port}`;
  const zoned = `${families}udp dport @alive ct original zone set ${ZONE}`;
  const own = `meta skuid ${ownUid} ip daddr`;
  const names = bridges.map((name) => `"${name}"`).join(', ');
  return `add table inet ${DNS_TABLE}
delete table inet ${DNS_TABLE}
table inet ${DNS_TABLE} {
	set alive {
		type inet_service
		size 8
		flags dynamic,timeout
		elements = { 53 timeout ${ARMED_MS}ms }
	}
	set bridges {
		type ifname
		${names === '' ? '' : `elements = { ${names} }`}
	}
	chain raw_out {
		type filter hook output priority raw; policy accept;
		${own} ${BEAT_ADDRESS} udp dport 53 update @alive { udp dport timeout ${ARMED_MS}ms } drop
		${own} ${DISARM_ADDRESS} udp dport 53 delete @alive { udp dport } drop
		meta skuid != { ${exempt} } ${zoned}
	}
	chain raw_pre {
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ${zoned}
	}
	chain nat_out {
		type nat hook output priority -110; policy accept;
		meta skuid != { ${exempt} } ${captured}
	}
	chain nat_pre {
		type nat hook prerouting priority -110; policy accept;
		iifname @bridges ${captured}
	}
	chain guard_in {
		type filter hook input priority filter; policy accept;
		iifname != "lo" meta l4proto { tcp, udp } th dport ${redirect.port} ct status & dnat != dnat drop
	}
}
`;
}

/** A redirect to a family that we do not listen in would refuse its queries. */
function familyMatch(addresses: readonly string[]): string {
  const v4 = addresses.some((address) => isIPv4(address));
  const v6 = addresses.some((address) => !isIPv4(address));
  if (v4 && v6) return '';
  return v4 ? 'meta nfproto ipv4 ' : 'meta nfproto ipv6 ';
}

/** Idempotent: deletes what is there, if anything. */
export const REMOVE_NFT_TABLE = `add table inet ${DNS_TABLE}\ndelete table inet ${DNS_TABLE}\n`;
