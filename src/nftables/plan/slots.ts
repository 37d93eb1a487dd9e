// Slots of a frontend: dense, 0 to N-1, and moved as little as possible.

/**
 * Puts `wanted` into slots so that as few as possible change: whoever has a slot below the new count keeps it, those
 * from the end move into the holes, and newcomers take what is left, in the order of `wanted`. A value may be wanted
 * several times, and then has as many slots. From an empty `previous` the slots are in the order of `wanted`.
 */
export function assignSlots(previous: readonly string[], wanted: readonly string[]): readonly string[] {
  if (previous.length === 0) return wanted;
  const open = new Map<string, number>();
  for (const value of wanted) open.set(value, (open.get(value) ?? 0) + 1);
  const take = (value: string | undefined): value is string => {
    const left = value === undefined ? 0 : (open.get(value) ?? 0);
    if (value !== undefined && left > 0) open.set(value, left - 1);
    return left > 0;
  };
  const slots = wanted.map((_, slot) => (take(previous[slot]) ? previous[slot] : undefined));
  const moved = previous.slice(wanted.length).filter(take);
  const waiting = [...moved, ...wanted.filter(take)].values();
  return slots.map((value) => value ?? waiting.next().value ?? '');
}
