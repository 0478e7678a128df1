import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { REGION } from './account.ts';
import type { AccessKey } from './signature.ts';

const SESSION = 'a session token';
const HOUR_MS = 3_600_000;

/** The metadata service (version 2) of an instance that has a role; its URL. */
export async function startInstanceMetadata({ id, secret, sessionToken }: AccessKey) {
  const folder = '/latest/meta-data/iam/security-credentials/';
  const pages = new Map([
    [folder, 'the-role'],
    ['/latest/meta-data/placement/region', REGION],
    [
      `${folder}the-role`,
      JSON.stringify({
        AccessKeyId: id,
        SecretAccessKey: secret,
        Token: sessionToken,
        Expiration: new Date(Date.now() + HOUR_MS).toISOString(),
      }),
    ],
  ]);
  const server = http.createServer(({ method, url = '', headers }, response) => {
    if (method === 'PUT') return response.end(SESSION);
    if (headers['x-aws-ec2-metadata-token'] !== SESSION) return response.writeHead(401).end();
    return response.writeHead(pages.has(url) ? 200 : 404).end(pages.get(url));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}
