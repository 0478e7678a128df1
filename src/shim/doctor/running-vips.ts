import type { ShimSettings } from '../settings.ts';
import { socketText } from '../socket-address.ts';

export interface RunningVips {
  readonly kind: 'on' | 'off' | 'failed';
  /** With `failed`. */
  readonly reason: string;
}

const TIMEOUT_MS = 2_000;

/** What the running shim says of its virtual IPs; undefined where none runs, or none may be asked (`metrics-listen`). */
export async function runningVips({
  metricsListen,
}: Pick<ShimSettings, 'metricsListen'>): Promise<RunningVips | undefined> {
  if (metricsListen === undefined) return undefined;
  try {
    const url = `http://${socketText(metricsListen)}/healthz`;
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const { vips } = (await response.json()) as { vips?: { kind?: unknown; reason?: unknown } };
    const kind = (['on', 'off', 'failed'] as const).find((one) => one === vips?.kind);
    return kind && { kind, reason: typeof vips?.reason === 'string' ? vips.reason : '' };
  } catch {
    return undefined;
  }
}
