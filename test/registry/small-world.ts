import { expect } from 'vitest';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { createPool } from '../../src/vip/pool.ts';
import { type SpecOverrides, serviceEntry, type TestRegistry } from '../support/registry.ts';

/** 6 usable addresses: .33 to .38. */
export const TINY_POOL = createPool({ ipv4: '240.240.7.32/29', ipv6: '2001:2:0:7::/64' });

/** After it, an announced write is anybody's. */
export const PENDING_MS = 60_000;

export const auto = (name: string, host = `${name}.internal`): ServiceEntry => serviceEntry(name, { hosts: [host] });

export const addressed = (name: string, addresses: string[], host = `${name}.internal`): ServiceEntry =>
  serviceEntry(name, { hosts: [host], resolution: 'STATIC', addresses });

/** More than 32 hosts that want a VIP take more than one transaction. */
export const many = (count: number, spec: Partial<SpecOverrides> = {}, prefix = 'h'): ServiceEntry =>
  serviceEntry('many', {
    hosts: Array.from({ length: count }, (_, index) => `${prefix}${index}.many.internal`),
    ports: [],
    ...spec,
  });

/** Fills the pool (of 6) until that many addresses are left. */
export async function fill(registry: TestRegistry, left: number): Promise<void> {
  for (let index = 0; index < 6 - left; index++) {
    expect((await registry.apply(auto(`fill${index}`))).kind).toBe('created');
  }
}
