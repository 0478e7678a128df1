import { Rcode, RRType } from '../dns/constants.ts';
import { type IpPrefix, ipText, isWithinAt } from '../dns/ip-address.ts';
import { type DomainName, parseName } from '../dns/name.ts';
import type { DnsQuery, Question } from '../dns/query.ts';
import { encodeResponse } from '../dns/response.ts';
import { isAddress, recordsOf } from '../dns/walk.ts';
import type { MeshTable } from '../table/mesh-table.ts';
import { poolPrefixes } from '../table/pool-prefixes.ts';
import type { Reachable } from './vip-carrier.ts';
import { within } from './within.ts';

export interface VipGatePorts {
  /** Fetches the table now, shared with others who want it; never rejects. */
  readonly refresh: () => Promise<void>;
  /** What has to be done before the host's name is answered with the address; undefined: nothing is known of it. */
  readonly beforeAnswer: (host: string, vip: string) => Promise<Reachable | undefined>;
}

/** How long an answer may wait for its virtual IP to be carried. */
const WAIT_MS = 1_000;

/** Lets an answer with a virtual IP go only when connections to it can be carried, or after a second. */
export class VipGate {
  readonly #ports: VipGatePorts;
  #prefixes: readonly IpPrefix[] = [];
  #holders: ReadonlyMap<string, string> = new Map();

  constructor(ports: VipGatePorts) {
    this.#ports = ports;
  }

  use(table: MeshTable | undefined): void {
    this.#prefixes = poolPrefixes(table?.pools ?? []);
    const holders = new Map<string, string>();
    for (const { host, vip } of table?.hosts ?? []) {
      if (vip !== undefined) holders.set(vip.ipv4, host).set(vip.ipv6, host);
    }
    this.#holders = holders;
  }

  /**
   * The response that may go, at once where it has no virtual IP; it is NODATA where the virtual IP is of a family that
   * leads nowhere and the other one leads somewhere. Never rejects.
   */
  admit(query: DnsQuery, question: Question, response: Buffer): Buffer | Promise<Buffer> {
    if (this.#prefixes.length === 0) return response;
    const vips = this.#vipsIn(response);
    return vips.length === 0 ? response : this.#admitWith(vips, query, question, response);
  }

  async #admitWith(vips: readonly string[], query: DnsQuery, question: Question, response: Buffer): Promise<Buffer> {
    // Faults of the data plane are told where they happen; the name is answered all the same.
    const prepared = this.#prepare(question.qname, vips).catch(() => []);
    const reachable = (await within(WAIT_MS, prepared)) ?? [];
    const [asked, other] = question.qtype === RRType.AAAA ? (['ipv6', 'ipv4'] as const) : (['ipv4', 'ipv6'] as const);
    const leadsElsewhere = reachable.some((one) => one !== undefined && !one[asked] && one[other]);
    return leadsElsewhere ? noData(query, this.#holders.get(vips[0] ?? '') ?? question.qname) : response;
  }

  async #prepare(qname: DomainName, vips: readonly string[]): Promise<(Reachable | undefined)[]> {
    if (vips.some((vip) => !holds(this.#holders.get(vip), qname))) await this.#ports.refresh();
    return Promise.all(vips.map((vip) => this.#ports.beforeAnswer(this.#holders.get(vip) ?? qname, vip)));
  }

  /** Octets are compared where they are: few answers have a virtual IP, and every one comes by here. */
  #vipsIn(wire: Buffer): string[] {
    const vips: string[] = [];
    for (const record of recordsOf(wire) ?? []) {
      if (record.section !== 'answer') break;
      if (!isAddress(record)) continue;
      const { rdataOffset, rdataLength, end } = record;
      for (const prefix of this.#prefixes) {
        if (prefix.base.length !== rdataLength || !isWithinAt(wire, rdataOffset, prefix)) continue;
        vips.push(ipText(wire.subarray(rdataOffset, end)));
        break;
      }
    }
    return vips;
  }
}

/** A name with a search domain after it, or labels such as `_http._tcp` before it, still has its host within. */
function holds(host: string | undefined, qname: DomainName): boolean {
  if (host === undefined) return false;
  return `.${qname}.`.includes(host.startsWith('*.') ? `${host.slice(1)}.` : `.${host}.`);
}

const NEGATIVE_TTL = 30;

function noData(query: DnsQuery, host: string): Buffer {
  const owner = parseName(host.replace(/^\*\./, '')) ?? query.question?.qname;
  const timers = { serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum: NEGATIVE_TTL };
  const soa = owner && { type: 'SOA' as const, owner, ttl: NEGATIVE_TTL, mname: owner, rname: owner, ...timers };
  return encodeResponse(query, { rcode: Rcode.noError, aa: true, authorities: soa ? [soa] : [] });
}
