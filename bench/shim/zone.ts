/** What all shims are asked for, and what the endpoint behind them answers. */
export const ZONE = 'bench.example.com';
export const ADDRESS = '192.0.2.1';
export const TTL = 300;
const COUNT = 100;

export const NAMES: readonly string[] = Array.from({ length: COUNT }, (_, n) => `host-${n}.${ZONE}`);
