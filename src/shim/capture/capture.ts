/**
 * Brings the DNS queries of every program on this host to the shim, and gives them back when the shim cannot answer.
 * What `run` needs to know of it is here; the two ways are `nft-capture.ts` and `resolver-capture.ts`.
 *
 * In `run`: answer `canaryAnswer(query)` (canary.ts) before anybody is asked, bind the listeners, `start()`, and `stop()`
 * before the listeners close.
 */
import { NftCapture } from './nft-capture.ts';
import { ResolverCapture } from './resolver-capture.ts';

export type CaptureMode = 'none' | 'resolver' | 'nft';

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** The part of the shim's settings that capture reads. */
export interface CaptureSettings {
  readonly capture: CaptureMode;
  /** Where the shim listens, bridge addresses not counted. Resolvers are pointed at one of the loopback ones. */
  readonly listen: readonly ListenAddress[];
  /** Interfaces whose containers are captured too (`nft` only); `br-*` stands for all that begin so. */
  readonly bridges: readonly string[];
  /** Users, by name or id, whose queries are left alone, besides our own and the resolvers known by name (`nft` only). */
  readonly exemptUsers: readonly string[];
  /** Where what was there before is kept. */
  readonly stateDir: string;
}

export interface CaptureOptions {
  /** Whether the shim answers over UDP and TCP (`self-check.ts`). Without it DNS stays, or goes back, with the system. */
  readonly selfCheck: () => Promise<boolean>;
  /** Listens for UDP and TCP on the address of a bridge, as on those of the settings. Rejects when it cannot bind. */
  readonly listen: (at: ListenAddress) => Promise<{ close(): Promise<void> }>;
  /** One line for the journal. */
  readonly log: (line: string) => void;
  /** Zones of the mesh that systemd-resolved must ask us for, whatever domains its links have. None by default. */
  readonly zones?: () => readonly string[];
  /** Before every absolute path of the host; empty but in tests. */
  readonly root?: string;
}

export type CaptureState =
  /** Not started, or stopped. */
  | { readonly kind: 'off' }
  /** Queries of this host come here. */
  | { readonly kind: 'on'; readonly how: string }
  /** They do not, and this is why. It is tried again until `stop`. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Capture {
  /** Once the listeners are bound. Never rejects for what can mend itself: `state()` and the log tell. */
  start(): Promise<void>;
  /** Gives DNS back. */
  stop(): Promise<void>;
  state(): CaptureState;
}

/** This host cannot be captured as it is set up, and trying again will not help. */
export class CaptureRefusedError extends Error {
  override readonly name = 'CaptureRefusedError';
}

/** @throws CaptureRefusedError when the settings cannot be captured with. */
export function createCapture(settings: CaptureSettings, options: CaptureOptions): Capture {
  switch (settings.capture) {
    case 'nft':
      return new NftCapture(settings, options);
    case 'resolver':
      return new ResolverCapture(settings, options);
    case 'none':
      return NO_CAPTURE;
  }
}

const NO_CAPTURE: Capture = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  state: () => ({ kind: 'off' }),
};
