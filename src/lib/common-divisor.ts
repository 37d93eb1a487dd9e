// The greatest common divisor.

/** Of two whole numbers that are not negative; `commonDivisor(0, n)` is n. Euclid's algorithm. */
export function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
