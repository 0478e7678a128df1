const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Up to `below`, an age is told in `unit`, and in `rest` where that is of use. */
const STEPS = [
  { below: 2 * MINUTE, unit: SECOND, suffix: 's' },
  { below: 10 * MINUTE, unit: MINUTE, suffix: 'm', rest: { unit: SECOND, suffix: 's' } },
  { below: 3 * HOUR, unit: MINUTE, suffix: 'm' },
  { below: 8 * HOUR, unit: HOUR, suffix: 'h', rest: { unit: MINUTE, suffix: 'm' } },
  { below: 2 * DAY, unit: HOUR, suffix: 'h' },
  { below: 8 * DAY, unit: DAY, suffix: 'd', rest: { unit: HOUR, suffix: 'h' } },
  { below: 2 * YEAR, unit: DAY, suffix: 'd' },
  { below: 8 * YEAR, unit: YEAR, suffix: 'y', rest: { unit: DAY, suffix: 'd' } },
  { below: Number.POSITIVE_INFINITY, unit: YEAR, suffix: 'y' },
] as const;

/** The time since an RFC 3339 time stamp, as short as kubectl has it: `45s`, `3m20s`, `5h`, `12d`. */
export function ageOf(timestamp: string | undefined, now: number): string {
  const since = Date.parse(timestamp ?? '');
  if (Number.isNaN(since)) return '<unknown>';
  // Clocks of two machines may differ a little.
  const age = Math.max(0, now - since);
  const step = STEPS.find(({ below }) => age < below) ?? STEPS[0];
  const whole = `${Math.floor(age / step.unit)}${step.suffix}`;
  if (!('rest' in step)) return whole;
  const rest = Math.floor((age % step.unit) / step.rest.unit);
  return rest === 0 ? whole : `${whole}${rest}${step.rest.suffix}`;
}
