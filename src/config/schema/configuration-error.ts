// The error of an invalid configuration, with the path of each invalid field.

import { type ErrorKind, OperationalError } from '../../lib/operational-error.ts';

/** One invalid field. */
export interface ConfigurationProblem {
  /** For example `KubeProxyConfiguration.conntrack.min`, or the flag that set the field. */
  readonly path: string;
  /** The value and the problem with it. */
  readonly reason: string;
}

/** An invalid configuration. The message has one line per problem. */
export class ConfigurationError extends OperationalError {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly ConfigurationProblem[];

  constructor(
    source: string,
    problems: readonly ConfigurationProblem[],
    { kind = 'input', cause }: ConfigurationErrorOptions = {},
  ) {
    const lines = problems.map(describeProblem);
    super(kind, `Cannot use ${source}:${lines.length === 1 ? ' ' : '\n  '}${lines.join('\n  ')}`, { cause });
    this.problems = problems;
  }
}

interface ConfigurationErrorOptions {
  /** `usage` if all problems are on the command line; `input` by default. */
  readonly kind?: ErrorKind;
  readonly cause?: unknown;
}

/** `path: reason`. */
export function describeProblem({ path, reason }: ConfigurationProblem): string {
  return path === '' ? reason : `${path}: ${reason}`;
}
