import { EdeCode, Rcode } from '../dns/constants.ts';
import { extendedErrorCodes } from '../dns/extended-errors.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { Exchanged } from '../forward/upstream-client.ts';

/** Why an endpoint is not asked. */
export type DownReason =
  /** No connection, or one that died. */
  | 'unreachable'
  /** It does not accept our credential (401, 403). */
  | 'unauthorised'
  /** Nothing is there (404): a wrong URL, or a token that was revoked. */
  | 'not-found'
  /** It asks to be spared (429, 503). */
  | 'overloaded'
  /** It cannot read its registry (SERVFAIL with extended error 14). */
  | 'not-ready'
  /** It answers, but not as DoH does, or not in time. */
  | 'failing';

export type EndpointState =
  | { readonly up: true }
  | { readonly up: false; readonly reason: DownReason /** What was met last. */; readonly message: string };

/** What one exchange says about its endpoint. */
export type Verdict =
  | { readonly kind: 'good' }
  /** The exchange was given up for reasons of our own. */
  | { readonly kind: 'nothing' }
  /** One is nothing; several in a row are. */
  | { readonly kind: 'strike'; readonly message: string }
  | { readonly kind: 'down'; readonly reason: DownReason; readonly message: string };

const GOOD: Verdict = { kind: 'good' };
const NOTHING: Verdict = { kind: 'nothing' };

const STATUS_REASONS: ReadonlyMap<number, DownReason> = new Map([
  [401, 'unauthorised'],
  [403, 'unauthorised'],
  [404, 'not-found'],
  [429, 'overloaded'],
  [503, 'overloaded'],
]);

/** `isConnected`: after the exchange there is still a connection that is trusted; `isOver`: its time was. */
export function verdictOf(exchanged: Exchanged, isConnected: boolean, isOver: boolean): Verdict {
  if (exchanged.ok) return GOOD;
  const { kind, message, status, wire } = exchanged;
  if (kind === 'rcode') return wire !== undefined && isNotReady(wire) ? down('not-ready', message) : GOOD;
  if (kind === 'timeout' && !isOver) return NOTHING;
  const reason = status === undefined ? undefined : STATUS_REASONS.get(status);
  if (reason !== undefined) return down(reason, message);
  if ((kind === 'transport' || kind === 'timeout') && !isConnected) return down('unreachable', message);
  return { kind: 'strike', message };
}

const down = (reason: DownReason, message: string): Verdict => ({ kind: 'down', reason, message });

const isNotReady = (wire: Buffer): boolean =>
  rcodeOf(wire) === Rcode.servFail && extendedErrorCodes(wire).includes(EdeCode.notReady);

const STRIKES = 3;
const UP: EndpointState = { up: true };

/** Judges an endpoint by its exchanges. */
export class EndpointHealth {
  #state: EndpointState = UP;
  #strikes = 0;

  get state(): EndpointState {
    return this.#state;
  }

  /** Whether the state is another than before. */
  note(verdict: Verdict): boolean {
    const before = this.#state;
    if (verdict.kind === 'good') {
      this.#strikes = 0;
      this.#state = UP;
    } else if (verdict.kind === 'down') {
      this.#state = { up: false, reason: verdict.reason, message: verdict.message };
    } else if (verdict.kind === 'strike' && ++this.#strikes >= STRIKES && before.up) {
      this.#state = { up: false, reason: 'failing', message: verdict.message };
    }
    return before.up !== this.#state.up || (!before.up && !this.#state.up && before.reason !== this.#state.reason);
  }
}

const FIRST_PROBE_MS = 1_000;
/** With the time that a probe may take, an endpoint is back in use within half a minute of its recovery. */
const LONGEST_PROBE_MS = 15_000;
/** Hosts that lost their endpoint at the same instant must not come back at the same instant. */
const JITTER = 0.25;

/** How long to wait before the probe with this number, from 0; `random` is from 0 to 1. */
export const probeDelayMs = (attempt: number, random: number): number =>
  Math.min(FIRST_PROBE_MS * 2 ** Math.min(attempt, 10), LONGEST_PROBE_MS) * (1 - JITTER + 2 * JITTER * random);
