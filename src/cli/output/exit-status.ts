// The exit statuses: a contract with scripts and service managers.

import { type ErrorKind, OperationalError } from '../../lib/operational-error.ts';

export const EXIT = {
  ok: 0,
  /** `diff` found a difference, or `doctor` a problem. */
  different: 1,
  /** The command line is invalid. */
  usage: 2,
  /** This machine cannot run nftlane: nft is missing or too old, privileges are missing, or another daemon runs. */
  environment: 3,
  /** An input cannot be read: a missing file, invalid YAML, an unusable kubeconfig. */
  input: 4,
  /** Any other failure. */
  failure: 5,
} as const satisfies Record<ErrorKind | 'ok' | 'different' | 'failure', number>;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** The exit status of a command that fails with `error`. */
export function exitStatusOf(error: unknown): ExitStatus {
  return error instanceof OperationalError ? EXIT[error.kind] : EXIT.failure;
}
