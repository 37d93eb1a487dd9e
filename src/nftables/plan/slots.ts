// Assigns endpoints to the slots of a frontend, 0 to N-1, with as few changes as possible.

import { inSteps, type Steps } from '../../lib/steps.ts';

/**
 * Assigns the values of `desired` to as many slots. A value keeps its slot if that is below the new count; values from
 * higher slots fill the gaps, then new values, in the order of `desired`. A value that occurs several times gets the
 * same number of slots. Without `previous` the slots have the order of `desired`.
 */
export function* assignSlots(previous: readonly string[], desired: readonly string[]): Steps<readonly string[]> {
  if (previous.length === 0) return desired;
  const needed = new Map<string, number>();
  yield* inSteps(desired, (value) => needed.set(value, (needed.get(value) ?? 0) + 1));
  const take = (value: string | undefined): value is string => {
    const count = value === undefined ? 0 : (needed.get(value) ?? 0);
    if (value !== undefined && count > 0) needed.set(value, count - 1);
    return count > 0;
  };
  const slots: (string | undefined)[] = [];
  yield* inSteps(desired, () => {
    const value = previous[slots.length];
    slots.push(take(value) ? value : undefined);
  });
  const unplaced: string[] = [];
  const place = (value: string) => {
    if (take(value)) unplaced.push(value);
  };
  yield* inSteps(previous.slice(desired.length), place);
  yield* inSteps(desired, place);
  const next = unplaced.values();
  return slots.map((value) => value ?? next.next().value ?? '');
}
