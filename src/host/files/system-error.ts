// Errors of system calls.

// Not by its name, which node 20 does not export: the program could not say that node is too old.
import util from 'node:util';
import { errorMessage } from '../../lib/error-message.ts';

export function isSystemError(error: unknown): error is { code: string; errno: number } {
  return error instanceof Error && 'code' in error && 'errno' in error && typeof error.errno === 'number';
}

/** The reason of a system error without call and path, such as `no such file or directory`; the message of any other error. */
export function failureReason(error: unknown): string {
  return isSystemError(error) ? util.getSystemErrorMessage(error.errno) : errorMessage(error);
}
