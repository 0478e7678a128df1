import type { CaptureState } from './capture.ts';

/** What a capture is, and the journal told of every change of it. */
export class CaptureStatus {
  #state: CaptureState = { kind: 'off' };
  readonly #log: (line: string) => void;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  get state(): CaptureState {
    return this.#state;
  }

  become(state: CaptureState): void {
    const before = this.#state;
    this.#state = state;
    if (state.kind === 'on' && before.kind !== 'on') this.#log(`DNS of this host comes here by ${state.how}`);
    if (state.kind !== 'failed' || (before.kind === 'failed' && before.reason === state.reason)) return;
    this.#log(`DNS of this host does not come here: ${state.reason}`);
  }
}
