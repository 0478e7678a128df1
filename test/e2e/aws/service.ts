import type { SignedRequest } from './signature.ts';

/** A request whose signature is good. */
export interface ServiceCall {
  readonly request: SignedRequest;
  /** Who signed it. */
  readonly arn: string;
  /** Goes on only where IAM lets the caller. @throws Refusal */
  readonly demand: (action: string, resource: string, context?: Readonly<Record<string, string>>) => void;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}
