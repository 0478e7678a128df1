import { execFileSync } from 'node:child_process';
import { Child, freePort } from '../measure/child.ts';
import { verify } from './verify.ts';

/** HTTP/2 over TLS, or HTTP/1.1 in clear. */
export type Protocol = 'h2' | 'h1';

/** Where servers run, and with what. */
export interface Place {
  readonly folder: string;
  /** Files in PEM. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** The core for servers. */
  readonly core: number;
}

/** A program that answers the zone. */
export interface Server {
  readonly name: string;
  readonly protocols: readonly Protocol[];
  /** Absent for what needs Node alone. */
  readonly needs?: Requirement;
  /** Listens on `port` of 127.0.0.1, or throws. */
  start(protocol: Protocol, port: number, place: Place): Promise<Child>;
}

/** A command, and the Debian package that brings it. */
export interface Requirement {
  readonly command: string;
  readonly package: string;
}

export interface RunningServer {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
}

export function isInstalled({ command }: Requirement): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function launch(argv: readonly [string, ...string[]], port: number, place: Place): Promise<Child> {
  const child = new Child({ argv, cwd: place.folder, core: place.core });
  await child.listensOn(port);
  return child;
}

/** Starts each of those that speak the protocol, and sees that it answers rightly. */
export async function startAll(servers: readonly Server[], protocol: Protocol, place: Place): Promise<RunningServer[]> {
  const running: RunningServer[] = [];
  for (const server of servers.filter(({ protocols }) => protocols.includes(protocol))) {
    const port = await freePort();
    const started = { name: server.name, port, child: await server.start(protocol, port, place) };
    await verify(started, protocol, place);
    running.push(started);
  }
  return running;
}

export async function stopAll(servers: readonly RunningServer[]): Promise<void> {
  await Promise.all(servers.map(({ child }) => child.stop()));
}
