// What is wrong with an object, in words an operator can act on.

/** A field that cannot be used as it stands. Findings never stop anything: the rest of the object goes on. */
export interface ValidationIssue {
  /** Kind and name, e.g. `Service shop/web`. */
  readonly object: string;
  /** Path of the field, e.g. `spec.ports[0].port`. */
  readonly field: string;
  /** The offending value as JSON, cut to a readable length. */
  readonly value: string;
  /** Why it cannot be used. */
  readonly reason: string;
  /** What follows from it, e.g. `this port is left out`. */
  readonly effect: string;
}

/** One line for logs and messages. */
export function formatIssue({ object, field, value, reason, effect }: ValidationIssue): string {
  return `${object}: ${field} ${value}: ${reason}; ${effect}`;
}
