import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFreshAgents, type FreshAgents } from '../../src/registry/dynamodb-agent.ts';

let server: http.Server;
let connections: number;
let now: number;
let agents: FreshAgents;

beforeEach(async () => {
  connections = 0;
  now = 0;
  agents = createFreshAgents(() => now);
  server = http.createServer((_, response) => response.end());
  server.on('connection', () => connections++);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
});

afterEach(() => {
  agents.httpAgent.destroy();
  server.close();
});

function call(): Promise<void> {
  agents.dropIdle();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { port } = server.address() as AddressInfo;
  http
    .get({ host: '127.0.0.1', port, agent: agents.httpAgent }, (response) => {
      response.resume();
      // The connection is free one turn later.
      response.on('end', () => setImmediate(resolve));
    })
    .on('error', reject);
  return promise;
}

describe('connections to DynamoDB', () => {
  it('are kept between calls', async () => {
    for (let calls = 0; calls < 3; calls++) {
      await call();
      now += 9_000;
    }
    expect(connections).toBe(1);
  });

  it.each([10_001, 3_600_000, -10_001])('are not used again %i ms later', async (ms) => {
    await call();
    now += ms;
    await call();
    expect(connections).toBe(2);
  });

  it('are let go one by one: those that were used a moment ago stay', async () => {
    await Promise.all([call(), call()]);
    now += 9_000;
    await call();
    now += 9_000;
    await Promise.all([call(), call()]);
    expect(connections).toBe(3);
  });
});
