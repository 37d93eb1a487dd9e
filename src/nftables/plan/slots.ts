// Slots of a frontend: dense, 0 to N-1, and moved as little as possible.

/**
 * Puts `desired` into slots so that as few as possible change: whoever has a slot below the new count keeps it, those
 * from the end move into the holes, and newcomers take what is left, in the order of `desired`. A value may be desired
 * several times, and then has as many slots. From an empty `previous` the slots are in the order of `desired`.
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
