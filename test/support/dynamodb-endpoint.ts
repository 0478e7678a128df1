import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { EmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';

export interface DynamoDbEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

/** The embedded DynamoDB on a socket, for programs that are deployed with an SDK client of their own. */
export async function serveDynamoDb(db: EmbeddedDynamoDb): Promise<DynamoDbEndpoint> {
  const server = http.createServer(async (request, response) => {
    const body = await buffer(request);
    const { response: answer } = await db.requestHandler.handle({ headers: request.headers as never, body });
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
