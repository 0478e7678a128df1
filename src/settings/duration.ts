import { type Reader, read, refuse } from './reading.ts';

/** Longest first. */
const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const DURATION = /^([0-9]{1,12})(h|m|s|ms)$/;

/** `24h`, `30m`, `90s` or `500ms`, in milliseconds. */
export const duration: Reader<number> = (value) => {
  const [, digits, suffix] = (typeof value === 'string' && DURATION.exec(value)) || [];
  const unit = UNITS.find(([name]) => name === suffix);
  return unit ? read(Number(digits) * unit[1]) : refuse(value, 'a duration such as "24h", "30m", "90s" or "500ms"');
};

/** In the largest unit that leaves no rest. */
export function durationText(ms: number): string {
  const [name, unit] = UNITS.find(([, unit]) => ms % unit === 0) ?? ['ms', 1];
  return `${ms / unit}${name}`;
}
