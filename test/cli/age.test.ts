import { describe, expect, it } from 'vitest';
import { ageOf } from '../../src/cli/age.ts';

const NOW = Date.parse('2026-11-01T00:00:00Z');
const SECOND = 1;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const YEAR = 365 * DAY;

describe('ageOf', () => {
  it.each<[number, string]>([
    [-5 * SECOND, '0s'],
    [0, '0s'],
    [119, '119s'],
    [2 * MINUTE, '2m'],
    [3 * MINUTE + 20, '3m20s'],
    [10 * MINUTE + 59, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR + 5 * MINUTE, '3h5m'],
    [8 * HOUR + 59 * MINUTE, '8h'],
    [47 * HOUR, '47h'],
    [2 * DAY + 3 * HOUR, '2d3h'],
    [8 * DAY + 3 * HOUR, '8d'],
    [729 * DAY, '729d'],
    [2 * YEAR + 10 * DAY, '2y10d'],
    [9 * YEAR + 10 * DAY, '9y'],
  ])('tells %i seconds as %s', (seconds, text) => {
    expect(ageOf(new Date(NOW - seconds * 1000).toISOString(), NOW)).toBe(text);
  });

  it.each([undefined, '', 'yesterday'])('does not know the age since %j', (timestamp) => {
    expect(ageOf(timestamp, NOW)).toBe('<unknown>');
  });
});
