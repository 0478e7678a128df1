/** Random numbers that a seed repeats (mulberry32): for tests that make more cases than a generator of values could. */
export interface Seeded {
  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number;
  octets(length: number): Buffer;
  oneOf<T>(values: readonly T[]): T;
}

export function seeded(seed: number): Seeded {
  let state = seed;
  const below = (bound: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
  return {
    below,
    octets: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    oneOf: (values) => values[below(values.length)] as (typeof values)[number],
  };
}

/** Some octets overwritten, and sometimes the end cut off or added to. */
export function mutate(random: Seeded, message: Buffer): Buffer {
  const cut = random.below(6) === 0 ? random.below(message.length + 1) : message.length;
  const tail = random.below(8) === 0 ? random.octets(random.below(12)) : Buffer.alloc(0);
  const wire = Buffer.concat([message.subarray(0, cut), tail]);
  for (let left = random.below(5); left > 0 && wire.length > 0; left--) {
    wire[random.below(wire.length)] =
      random.below(3) === 0 ? random.oneOf([0, 1, 0xc0, 0xff, 41, 63, 64]) : random.below(256);
  }
  return wire;
}
