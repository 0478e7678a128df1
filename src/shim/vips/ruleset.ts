import { addCommands, type Element } from './elements.ts';
import { SLOTS } from './slots.ts';

export const TABLE = 'inet mesh_vip';

/** The prefixes of all pools. */
export interface VipPrefixes {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** Before Docker's and iptables' NAT (-100). Of an output chain, nft 1.0.6 takes a number only. */
const NAT_PRIORITY = -110;
/** Where replies have the VIP as their source again. */
const AFTER_NAT = 150;

interface Family {
  readonly name: 'ip' | 'ip6';
  readonly digit: 4 | 6;
  readonly pool: string;
  /** What matches a packet to a VIP, and the key of its listener. */
  readonly toVip: string;
  readonly listener: string;
}

const anyOf = (prefixes: readonly string[]): string =>
  prefixes.length === 1 ? (prefixes[0] ?? '') : `{ ${prefixes.join(', ')} }`;

const familyOf = (name: 'ip' | 'ip6', digit: 4 | 6, prefixes: readonly string[]): Family => {
  const pool = anyOf(prefixes);
  return {
    name,
    digit,
    pool,
    toVip: `${name} daddr ${pool}`,
    listener: `${name} daddr . meta l4proto . th dport`,
  };
};

/** What `elements.ts` fills. */
const variables = ({
  name,
  digit,
  listener,
}: Family): string => `	set listeners${digit} { type ipv${digit}_addr . inet_proto . inet_service; counter; }
	map one${digit} { type ipv${digit}_addr . inet_proto . inet_service : ipv${digit}_addr . inet_service; }
	map many${digit} { typeof ${listener} . numgen random mod ${SLOTS} : ${name} daddr . th dport; }
`;

/** One line for each family, in a chain. */
const lines = (families: readonly Family[], rule: (family: Family) => string): string =>
  families.map((family) => `\t\t${rule(family)}\n`).join('');

const chain = (name: string, hook: string, rules: string): string => `	chain ${name} {
		type ${hook}; policy accept;
${rules}	}
`;

/**
 * One lookup translates: `one4` and `one6` for listeners with one target; `many4` and `many6` with several, where a
 * random number is part of the key. What is not translated is refused and never leaves the host. Translated connections
 * are masqueraded: their source was chosen for the route of the VIP, not of the target. `listeners4` and `listeners6`
 * count, in both directions; what is forwarded, where it is translated in both, by what its connection began with. Each
 * chain costs every packet that passes its hook, so those of this host pass three.
 */
export function vipRules(prefixes: VipPrefixes): string {
  const families = [familyOf('ip', 4, prefixes.ipv4), familyOf('ip6', 6, prefixes.ipv6)];
  const toVips = lines(families, ({ toVip }) => `${toVip} goto vips`);
  const toRefuse = lines(families, ({ toVip }) => `${toVip} goto refuse`);
  const sent = lines(families, ({ digit, toVip, listener }) => `${toVip} ${listener} @listeners${digit}`);
  const replied = lines(
    families,
    ({ name, digit, pool }) => `${name} saddr ${pool} ${name} saddr . meta l4proto . th sport @listeners${digit}`,
  );
  // A port of the original tuple has a type only where the protocol is known.
  const forwarded = ['tcp', 'udp']
    .map((transport) =>
      lines(
        families,
        ({ name, digit, toVip }) =>
          `ct original ${toVip} meta l4proto ${transport} ct original ${name} daddr . meta l4proto . ct original proto-dst @listeners${digit}`,
      ),
    )
    .join('');
  const masquerade = lines(families, ({ toVip }) => `ct status dnat ct original ${toVip} masquerade`);
  const translate = (map: string) =>
    lines(
      families,
      ({ name, digit, listener }) => `meta l4proto { tcp, udp } dnat ${name} to ${listener} ${map}${digit}`,
    );
  return `table ${TABLE} {
${families.map(variables).join('')}	counter refused { }
	chain vips {
${translate('map @one')}${translate(`. numgen random mod ${SLOTS} map @many`)}	}
	chain refuse {
		counter name refused
		meta l4proto tcp reject with tcp reset
		reject with icmpx admin-prohibited
	}
${[
  chain('nat_out', `nat hook output priority ${NAT_PRIORITY}`, toVips),
  chain('nat_pre', `nat hook prerouting priority ${NAT_PRIORITY}`, toVips),
  chain('nat_post', 'nat hook postrouting priority srcnat', masquerade),
  chain('guard_out', 'filter hook output priority filter', toRefuse),
  chain('guard_fwd', 'filter hook forward priority filter', toRefuse + forwarded),
  chain('sent_out', 'filter hook output priority mangle', sent),
  chain('replied_in', `filter hook input priority ${AFTER_NAT}`, replied),
].join('')}}
`;
}

/** Makes sure that there is none; the table need not exist. */
export const REMOVE_TABLE = `add table ${TABLE}\ndelete table ${TABLE}\n`;

/** Replaces the whole table in one transaction: no packet meets a part of it. */
export const wholeTable = (prefixes: VipPrefixes, elements: readonly Element[]): string =>
  `${REMOVE_TABLE}${vipRules(prefixes)}${addCommands(TABLE, elements).join('\n')}\n`;

/** Does nothing, but fails when somebody flushed the ruleset. */
export const PROBE = `add chain ${TABLE} refuse`;
