// Assertions. A failure is a bug in the program, never invalid input.

/** Throws when `condition` is false. `message` states the condition. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${message}`);
}

/** Ends a `switch` over a union, so that a new member fails the build. */
export function unreachable(value: never): never {
  throw new Error(`Invariant broken: unexpected value "${String(value)}"`);
}
