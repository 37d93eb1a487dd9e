// Invalid fields of objects, as reported to operators.

/** An invalid field. The rest of the object is used. */
export interface ValidationIssue {
  /** Kind and name, such as `Service shop/web`. */
  readonly object: string;
  /** The path of the field, such as `spec.ports[0].port`. */
  readonly field: string;
  /** The value as JSON, shortened if long. */
  readonly value: string;
  /** Why it is invalid. */
  readonly reason: string;
  /** The consequence, such as `ignoring this port`. */
  readonly effect: string;
  /** The Service that this is about, if the object is another one: `namespace/name`. */
  readonly service?: string;
}

/** An issue as one line. */
export function formatIssue({ object, field, value, reason, effect }: ValidationIssue): string {
  return `${object}: ${field} ${value}: ${reason}; ${effect}`;
}
