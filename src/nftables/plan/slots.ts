// Assigns endpoints to the slots of a frontend, 0 to N-1, with as few changes as possible.

/**
 * Assigns the values of `desired` to as many slots. A value keeps its slot if that is below the new count; values from
 * higher slots fill the gaps, then new values, in the order of `desired`. A value that occurs several times gets the
 * same number of slots. Without `previous` the slots have the order of `desired`.
 */
export function assignSlots(previous: readonly string[], desired: readonly string[]): readonly string[] {
  if (previous.length === 0) return desired;
  const needed = new Map<string, number>();
  for (const value of desired) needed.set(value, (needed.get(value) ?? 0) + 1);
  const take = (value: string | undefined): value is string => {
    const count = value === undefined ? 0 : (needed.get(value) ?? 0);
    if (value !== undefined && count > 0) needed.set(value, count - 1);
    return count > 0;
  };
  const slots = desired.map((_, slot) => (take(previous[slot]) ? previous[slot] : undefined));
  const moved = previous.slice(desired.length).filter(take);
  const unplaced = [...moved, ...desired.filter(take)].values();
  return slots.map((value) => value ?? unplaced.next().value ?? '');
}
