import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';

/** Answers under way, by the connection that they go over: a TCP socket, or a session of HTTP/2. */
export class AwaitedAnswers {
  readonly #answers = new WeakMap<object, Set<ServerResponse>>();

  add(request: IncomingMessage, response: ServerResponse): void {
    const connection = connectionOf(request);
    if (!connection) return;
    const answers = this.#answers.get(connection) ?? new Set();
    this.#answers.set(connection, answers.add(response));
    response.once('close', () => answers.delete(response));
  }

  /** Whether a client waits for more of an answer, having taken what there is of all of them. */
  has(connection: object): boolean {
    const answers = [...(this.#answers.get(connection) ?? [])];
    return answers.length > 0 && answers.every(({ writableLength }) => writableLength === 0);
  }
}

/** The app's requests over HTTP/2 only imitate those of HTTP/1.1. */
function connectionOf(request: IncomingMessage): object | undefined {
  return request.httpVersionMajor === 1 ? request.socket : (request as unknown as Http2ServerRequest).stream.session;
}
