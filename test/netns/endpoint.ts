import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCertificate } from '../support/certificate.ts';
import { must, type Running } from './commands.ts';
import { ENDPOINT, type Network } from './network.ts';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const PORT = 8443;

/** The project's own server, over TLS and with tokens, in a namespace of its own. */
export class Endpoint {
  readonly url = `https://${ENDPOINT.v4}:${PORT}/dns-query`;
  readonly #network: Network;
  readonly #folder: string;
  #server: Running | undefined;

  private constructor(network: Network, folder: string) {
    this.#network = network;
    this.#folder = folder;
  }

  static async start(network: Network): Promise<Endpoint> {
    const folder = join(network.folder, 'endpoint');
    await mkdir(folder);
    const { ca, cert, key } = createCertificate([ENDPOINT.v4]);
    for (const [name, text] of Object.entries({ 'ca.pem': ca, 'cert.pem': cert, 'key.pem': key })) {
      await writeFile(join(folder, name), text);
    }
    const endpoint = new Endpoint(network, folder);
    await endpoint.serve();
    return endpoint;
  }

  get caFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  async serve(): Promise<void> {
    const certificate = ['--cert', `${this.#folder}/cert.pem`, '--key', `${this.#folder}/key.pem`];
    const where = ['--listen', `${ENDPOINT.v4}:${PORT}`, '--store', `${this.#folder}/store`, '--upstreams', ''];
    const command = [process.execPath, LAUNCH, 'serve', ...certificate, ...where];
    this.#server = await this.#network.start('endpoint', ['env', `--chdir=${this.#folder}`, ...command]);
    await this.#server.says(`${ENDPOINT.v4}:${PORT}`);
  }

  async goAway(): Promise<void> {
    await this.#server?.end('SIGKILL');
  }

  /** A client token of a host that carries virtual IPs. */
  async token(...more: string[]): Promise<string> {
    const { token } = JSON.parse(
      await this.meshdoh('token', 'create', '--label', 'vm', '--for', 'vm', '-o', 'json', ...more),
    ) as {
      token: string;
    };
    return token;
  }

  /** Registers a host; without an address it gets a virtual IP. */
  async register(host: string, address?: string): Promise<void> {
    const manifest = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: host.replaceAll('.', '-') },
      spec: {
        hosts: [host],
        ...(address !== undefined && { addresses: [address] }),
        ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
        resolution: 'DNS',
      },
    };
    const file = join(this.#folder, `${host}.json`);
    await writeFile(file, JSON.stringify(manifest));
    await this.meshdoh('apply', '-f', file);
  }

  async meshdoh(...args: string[]): Promise<string> {
    const server = ['--server', new URL(this.url).origin, '--cacert', this.caFile];
    const command = ['env', `--chdir=${this.#folder}`, process.execPath, LAUNCH, ...args, ...server];
    return must(...this.#network.in('endpoint', ...command));
  }
}
