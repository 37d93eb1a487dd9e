// The weights of backends: their shares of new connections, by an annotation of the Service.

import { commonDivisor } from '../../lib/common-divisor.ts';
import type { Service } from '../objects/service.ts';
import type { Backend } from './backends.ts';

/** A value with its weight relative to other values: a whole number of at least 1. */
interface Weighted<T> {
  readonly value: T;
  readonly weight: number;
}

/** The backends that get new connections, with their weights. A backend without a weight has 1; weight 0 excludes one. */
export function weightedBackends({ weights }: Pick<Service, 'weights'>, backends: readonly Backend[]) {
  return backends.flatMap((value): Weighted<Backend>[] => {
    const weight = weights[value.address] ?? 1;
    return weight > 0 ? [{ value, weight }] : [];
  });
}

/** Repeats each value in proportion to its weight, with the shortest possible result. */
export function repeatByWeight<T>(shares: readonly Weighted<T>[]): T[] {
  const divisor = shares.reduce((gcd, { weight }) => commonDivisor(gcd, weight), 0);
  return shares.flatMap(({ value, weight }) => new Array<T>(weight / divisor).fill(value));
}
