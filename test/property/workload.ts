import type { Precondition } from '../../src/registry/writer.ts';
import type { ServiceEntry, ServiceEntryPort, ServiceEntrySpec } from '../../src/serviceentry/service-entry.ts';
import { addressesOfSlot, type Pool } from '../../src/vip/pool.ts';
import { serviceEntry } from '../support/registry.ts';
import type { Random } from './random.ts';

const NAMESPACES = ['default', 'team-a', 'team-b'];
const HOSTS = [...Array.from({ length: 14 }, (_, index) => `h${index}.internal`), '*.w0.internal', '*.w1.internal'];
const MANY_HOSTS = Array.from({ length: 256 }, (_, index) => `b${index}.big.internal`);

export type Operation =
  | { readonly kind: 'apply'; readonly entry: ServiceEntry; readonly precondition: Precondition }
  | { readonly kind: 'remove'; readonly namespace: string; readonly name: string; readonly precondition: Precondition };

/** What the workload knows of an entry: its last version, to do it again or to hold on to. */
export interface Known {
  readonly entry: ServiceEntry;
  readonly resourceVersion: string;
}

/** Random operations of a small world: few hosts, shared by entries and namespaces, so that writers meet. */
export class Workload {
  readonly #random: Random;
  readonly #pool: Pool;
  readonly #bigChance: number;
  #made = 0;

  constructor(random: Random, pool: Pool, bigChance: number) {
    this.#random = random;
    this.#pool = pool;
    this.#bigChance = bigChance;
  }

  next(known: (key: string) => Known | undefined): Operation {
    const random = this.#random;
    const namespace = random.pick(NAMESPACES);
    const big = random.chance(this.#bigChance);
    const name = big ? `big${random.integer(0, 1)}` : `e${random.integer(0, 7)}`;
    const current = known(`${namespace}/${name}`);
    const precondition = this.#precondition(current);
    if (random.chance(big ? 0.3 : 0.22)) return { kind: 'remove', namespace, name, precondition };
    if (current && random.chance(0.1)) return { kind: 'apply', entry: current.entry, precondition };
    return { kind: 'apply', entry: big ? this.#bigEntry(namespace, name) : this.#entry(namespace, name), precondition };
  }

  #precondition(current: Known | undefined): Precondition {
    const random = this.#random;
    if (random.chance(0.8)) return { kind: 'none' };
    if (random.chance(0.3)) return { kind: 'absent' };
    const resourceVersion = random.chance(0.8) ? (current?.resourceVersion ?? '1') : '1';
    return { kind: 'present', resourceVersion };
  }

  #entry(namespace: string, name: string): ServiceEntry {
    const random = this.#random;
    return this.#labelled(namespace, name, {
      hosts: random.sample(HOSTS, random.integer(1, 4)),
      ports: this.#ports(),
      ...this.#resolution(),
      ...(random.chance(0.3) ? { exportTo: [random.pick(['.', '*', '~', 'team-a'])] } : {}),
    });
  }

  /** More than one transaction carries, or nearly. */
  #bigEntry(namespace: string, name: string): ServiceEntry {
    const random = this.#random;
    const hosts = random.sample(MANY_HOSTS, random.integer(60, 256));
    const resolution = random.pick<Partial<ServiceEntrySpec>>([
      { resolution: 'NONE' },
      { resolution: 'DNS' },
      this.#addressed(),
    ]);
    return this.#labelled(namespace, name, { hosts, ports: this.#ports(), ...resolution });
  }

  #labelled(
    namespace: string,
    name: string,
    spec: Partial<ServiceEntrySpec> & { hosts: readonly string[] },
  ): ServiceEntry {
    const optOut = this.#random.chance(0.08) ? { 'networking.istio.io/enable-autoallocate-ip': 'False' } : {};
    return serviceEntry(name, spec, { namespace, labels: { write: `w${this.#made++}`, ...optOut } });
  }

  #ports(): ServiceEntryPort[] {
    const http = { name: 'http', number: 80, protocol: 'HTTP' };
    const tls = { name: 'tls', number: 443, protocol: 'TLS' };
    return this.#random.pick([[http], [tls], [http, tls], [], [http], [tls], [{ ...http, protocol: 'TCP' }]]);
  }

  #resolution(): Partial<ServiceEntrySpec> {
    const random = this.#random;
    if (random.chance(0.2)) return this.#addressed();
    return random.pick<Partial<ServiceEntrySpec>>([
      { resolution: 'DNS' },
      { resolution: 'DNS' },
      { resolution: 'DYNAMIC_DNS' },
      { resolution: 'STATIC', endpoints: [{ address: '192.0.2.9' }] },
      { resolution: 'NONE' },
    ]);
  }

  #addressed(): Partial<ServiceEntrySpec> {
    const random = this.#random;
    const { ipv4, ipv6 } = addressesOfSlot(this.#pool, random.integer(0, Math.min(this.#pool.size, 600) - 1));
    const addresses = random.pick([
      [ipv4],
      [ipv6],
      [ipv4, '192.0.2.1'],
      [`${ipv4}/30`],
      [`${ipv4}/${random.integer(22, 29)}`],
      ['192.0.2.7'],
    ]);
    return { resolution: 'STATIC', addresses };
  }
}
