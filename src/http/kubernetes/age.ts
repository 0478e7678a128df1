const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

interface Unit {
  readonly unit: number;
  readonly suffix: string;
}

interface Step extends Unit {
  /** Ages below this are told in the unit, and in that of the rest where that is of use. */
  readonly below: number;
  readonly rest?: Unit;
}

const YEARS: Step = { below: Number.POSITIVE_INFINITY, unit: YEAR, suffix: 'y' };

const STEPS: readonly Step[] = [
  { below: 2 * MINUTE, unit: SECOND, suffix: 's' },
  { below: 10 * MINUTE, unit: MINUTE, suffix: 'm', rest: { unit: SECOND, suffix: 's' } },
  { below: 3 * HOUR, unit: MINUTE, suffix: 'm' },
  { below: 8 * HOUR, unit: HOUR, suffix: 'h', rest: { unit: MINUTE, suffix: 'm' } },
  { below: 2 * DAY, unit: HOUR, suffix: 'h' },
  { below: 8 * DAY, unit: DAY, suffix: 'd', rest: { unit: HOUR, suffix: 'h' } },
  { below: 2 * YEAR, unit: DAY, suffix: 'd' },
  { below: 8 * YEAR, unit: YEAR, suffix: 'y', rest: { unit: DAY, suffix: 'd' } },
  YEARS,
];

/** The time since an RFC 3339 time stamp, as short as kubectl has it: `45s`, `3m20s`, `5h`, `12d`. */
export function ageOf(timestamp: string | undefined, now: number): string {
  const since = Date.parse(timestamp ?? '');
  if (Number.isNaN(since)) return '<unknown>';
  // Clocks of two machines may differ a little.
  const age = Math.max(0, now - since);
  const { unit, suffix, rest } = STEPS.find(({ below }) => age < below) ?? YEARS;
  const whole = `${Math.floor(age / unit)}${suffix}`;
  const left = rest ? Math.floor((age % unit) / rest.unit) : 0;
  return rest && left > 0 ? `${whole}${left}${rest.suffix}` : whole;
}
