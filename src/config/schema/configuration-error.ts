// What is wrong with a configuration: all of it, each with the path of its field.
import { type ErrorKind, OperationalError } from '../../lib/operational-error.ts';

/** One thing that is wrong. */
export interface ConfigurationProblem {
  /** Such as `KubeProxyConfiguration.conntrack.min`, or the flag that said it. */
  readonly path: string;
  /** What the field has, and what it must be. */
  readonly reason: string;
}

/** A configuration cannot be used. The message has a line for each problem. */
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
  /** `usage` when the command line alone is to blame. */
  readonly kind?: ErrorKind;
  readonly cause?: unknown;
}

/** `path: reason`. */
export function describeProblem({ path, reason }: ConfigurationProblem): string {
  return path === '' ? reason : `${path}: ${reason}`;
}
