import { afterEach, beforeEach, describe } from 'vitest';
import { openCredentials } from '../../src/http/local-credentials.ts';
import type { HostRecord } from '../../src/table/host.ts';
import { type Answering, createAnswering } from './answering.ts';
import { CARRIERS, type Driver, openDriver, type Reply } from './doh-driver.ts';
import { DEFAULT_VIEW } from './registry.ts';

/** A meshdoh of its own for each test, and ways to ask it. */
export interface Talk {
  readonly answering: Answering;
  post(wire: Uint8Array): Promise<Reply>;
  /** The DNS response; throws when HTTP has another status than 200. */
  ask(wire: Uint8Array): Promise<Buffer>;
}

/** Describes the same behaviour over everything that carries DoH. */
export function overEveryCarrier(topic: string, hosts: readonly HostRecord[], tests: (talk: Talk) => void): void {
  describe.each(CARRIERS)(`${topic}, by %s`, (carrier) => {
    let answering: Answering;
    let driver: Driver;
    beforeEach(async () => {
      answering = createAnswering(hosts);
      driver = await openDriver(carrier, answering.exchange, openCredentials(DEFAULT_VIEW));
    });
    afterEach(() => driver.close());
    const post = (body: Uint8Array) =>
      driver.send({ method: 'POST', headers: { 'content-type': 'application/dns-message' }, body });
    tests({
      get answering() {
        return answering;
      },
      post,
      async ask(wire) {
        const { status, body } = await post(wire);
        if (status !== 200) throw new Error(`HTTP ${status}: ${body.toString()}`);
        return body;
      },
    });
  });
}
