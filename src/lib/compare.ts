// Compares strings by code unit, not by locale, so that the same input has the same order on every machine.

/** Negative, zero or positive, as `Array.prototype.sort` expects it. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A sorted copy of strings. */
export function sorted(values: Iterable<string>): string[] {
  return [...values].sort(compare);
}
