// What is wrong with a configuration: all of it, each with the path of its field.

/** One thing that is wrong. */
export interface Problem {
  /** Such as `KubeProxyConfiguration.conntrack.min`, or the flag that said it. */
  readonly path: string;
  /** What the field has, and what it must be. */
  readonly reason: string;
}

/** A configuration cannot be used. The message has a line for each problem. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly Problem[];
  /** The command line alone is to blame. */
  readonly byFlags: boolean;

  constructor(where: string, problems: readonly Problem[], { byFlags = false, cause }: ErrorDetails = {}) {
    const lines = problems.map(describeProblem);
    super(`Cannot use ${where}:${lines.length === 1 ? ' ' : '\n  '}${lines.join('\n  ')}`, { cause });
    this.problems = problems;
    this.byFlags = byFlags;
  }
}

interface ErrorDetails {
  readonly byFlags?: boolean;
  readonly cause?: unknown;
}

/** `path: reason`. */
export function describeProblem({ path, reason }: Problem): string {
  return path === '' ? reason : `${path}: ${reason}`;
}
