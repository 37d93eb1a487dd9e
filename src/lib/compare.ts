// Order by code unit, never by locale: the same input must give the same bytes everywhere.

/** Negative, zero or positive, as `Array.prototype.sort` wants it. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A sorted copy of strings. */
export function sorted(values: Iterable<string>): string[] {
  return [...values].sort(compare);
}
