// A belief of ours that must hold: broken means a bug, never bad input.

/** Throws when `condition` is false. The message says what was believed. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${message}`);
}

/** The end of a `switch` over a union: a new member then breaks the build, not the network. */
export function unreachable(value: never): never {
  throw new Error(`Invariant broken: unexpected value "${String(value)}"`);
}
