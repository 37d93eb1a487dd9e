// Errors that an operator can fix, by the kind of their cause. The command line maps each kind to an exit status.

import { printable } from './printable.ts';

/** `usage`: the command line; `environment`: this machine; `input`: a file or its contents. */
export type ErrorKind = 'usage' | 'environment' | 'input';

/** An expected failure, whose message is enough for the operator. Any other error is a fault of the program. */
export class OperationalError extends Error {
  override readonly name: string = 'OperationalError';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.kind = kind;
  }
}

/** This machine cannot run nftlane: a missing or outdated program, missing privileges, or another daemon. */
export class EnvironmentError extends OperationalError {
  override readonly name: string = 'EnvironmentError';

  constructor(message: string, options?: ErrorOptions) {
    super('environment', message, options);
  }
}
