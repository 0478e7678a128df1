import type { Question } from '../dns/query.ts';
import type { RecordAt } from '../dns/walk.ts';
import type { Attempt } from './attempt.ts';
import type { UpstreamFailure } from './forwarder.ts';

export type Exchanged =
  | { readonly ok: true; readonly wire: Buffer; readonly records: readonly RecordAt[]; readonly age: number }
  | ({ readonly ok: false } & Omit<UpstreamFailure, 'upstream'>);

/** One upstream, over whatever carries messages to it. */
export interface UpstreamClient {
  /** Names it in metrics and traces; holds no credential. */
  readonly origin: string;
  /** Puts `wire`, which asks `question`, to it, for as long as the attempt lasts. Never rejects. */
  exchange(wire: Buffer, question: Question, attempt: Attempt): Promise<Exchanged>;
  /** Cuts all connections; exchanges fail from now on. */
  close(): void;
}
