export interface Sample {
  /** Seconds since the first one. */
  readonly at: number;
  readonly octets: number;
}

/** Growth per minute as a share of the mean: the slope of the line that fits best (least squares). */
export function growthPerMinute(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanAt, meanOctets] = [mean(samples.map(({ at }) => at)), mean(samples.map(({ octets }) => octets))];
  const products = samples.map(({ at, octets }) => (at - meanAt) * (octets - meanOctets));
  const squares = samples.map(({ at }) => (at - meanAt) ** 2);
  return ((mean(products) / mean(squares)) * 60) / meanOctets;
}
