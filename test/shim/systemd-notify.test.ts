import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startStatusServer } from '../../src/shim/status-server.ts';
import { serviceManager } from '../../src/shim/systemd-notify.ts';
import { eventually } from '../support/running-shim.ts';

const isInstalled = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('the service manager', () => {
  it('is told nothing where there is none', async () => {
    const manager = serviceManager({}, 1);
    expect(manager.watchdogMs).toBeUndefined();
    await manager.tell('READY=1');
  });

  it('wants signs of life as often as it says, from the process it means', () => {
    const environment = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '10000000' };
    expect(serviceManager(environment, 7).watchdogMs).toBe(10_000);
    expect(serviceManager({ ...environment, WATCHDOG_PID: '7' }, 7).watchdogMs).toBe(10_000);
    expect(serviceManager({ ...environment, WATCHDOG_PID: '8' }, 7).watchdogMs).toBeUndefined();
  });

  it.runIf(isInstalled('systemd-notify') && isInstalled('socat'))('hears it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshdoh-notify-'));
    const [socket, file] = [join(folder, 'notify'), join(folder, 'heard')];
    await writeFile(file, '');
    const { spawn } = await import('node:child_process');
    const listening = spawn('socat', ['-u', `UNIX-RECV:${socket}`, `OPEN:${file},append`], { stdio: 'ignore' });
    try {
      await eventually(async () => (await import('node:fs')).existsSync(socket), 5_000);
      await serviceManager({ NOTIFY_SOCKET: socket }, process.pid).tell('READY=1');
      await eventually(async () => (await readFile(file, 'utf8')).includes('READY=1'), 8_000);
    } finally {
      listening.kill();
    }
  });
});

describe('the pages for whoever watches', () => {
  const pages = {
    metrics: async () => 'a_metric 1\n',
    health: async () => ({ ok: false, body: { answers: false } }),
  };

  it('are for this host, by its own names, and say when nothing is answered', async () => {
    const server = await startStatusServer({ address: '127.0.0.1', port: 0 }, pages);
    const url = `http://127.0.0.1:${server.port}`;
    try {
      expect(await (await fetch(`${url}/metrics`)).text()).toBe('a_metric 1\n');
      const health = await fetch(`${url}/healthz`);
      expect([health.status, await health.json()]).toEqual([503, { answers: false }]);
      expect((await fetch(`${url}/`)).status).toBe(404);
      expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
      const { promise, resolve } = Promise.withResolvers<number | undefined>();
      http.get(`${url}/metrics`, { headers: { host: 'evil.example' } }, (response) => resolve(response.statusCode));
      expect(await promise).toBe(421);
    } finally {
      await server.close();
    }
  });
});
