// Long computations in steps, between which the caller can do other work.

/** A computation that yields after each piece of at most a few milliseconds, and returns its result. */
export type Steps<T> = Generator<void, T>;

/** Runs all steps without interruption. */
export function runSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Items that are handled between two yields: about a millisecond of work. */
export const STEP_SIZE = 2048;

/** What is left to do of a list that took one step. */
const NO_STEPS: Iterable<void> = [];

/**
 * Handles the items, with a yield after each {@link STEP_SIZE}, as `yield* inSteps(items, handle)`. For loops without a result
 * of their own. Short arrays are handled immediately: most are, and a generator for each would take longer than its items.
 */
export function inSteps<T>(items: Iterable<T>, handle: (item: T) => void): Iterable<void> {
  if (!Array.isArray(items) || items.length > STEP_SIZE) return inManySteps(items, handle);
  for (const item of items) handle(item);
  return NO_STEPS;
}

function* inManySteps<T>(items: Iterable<T>, handle: (item: T) => void): Steps<void> {
  let count = 0;
  for (const item of items) {
    handle(item);
    if (++count % STEP_SIZE === 0) yield;
  }
}

/** A sorted copy, stable as `Array.prototype.sort`, which it uses for lists that take one step. */
export function* sortSteps<T>(items: readonly T[], compare: (a: T, b: T) => number): Steps<T[]> {
  if (items.length <= STEP_SIZE) return [...items].sort(compare);
  const middle = items.length >> 1;
  const left = yield* sortSteps(items.slice(0, middle), compare);
  const right = yield* sortSteps(items.slice(middle), compare);
  const sorted: T[] = [];
  let [from, until] = [0, 0];
  while (from < left.length || until < right.length) {
    const [a, b] = [left[from], right[until]];
    const takesLeft = until >= right.length || (from < left.length && compare(a as T, b as T) <= 0);
    sorted.push((takesLeft ? a : b) as T);
    if (takesLeft) from++;
    else until++;
    if (sorted.length % STEP_SIZE === 0) yield;
  }
  return sorted;
}
