// Errors of manifests that cannot be read.

import { failureReason, isSystemError } from '../../../host/files/system-error.ts';
import { OperationalError } from '../../../lib/operational-error.ts';

/** A position in a file, counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The message is one line with the file, the position and the reason. */
export class ManifestError extends OperationalError {
  override readonly name = 'ManifestError';
  readonly file: string;
  /** Counted from 1; `undefined` if the whole file cannot be read. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly reason: string;

  constructor(file: string, reason: string, { at, cause }: { at?: Position; cause?: unknown } = {}) {
    const oneLine = reason.replace(/\s+/g, ' ');
    const where = at === undefined ? '' : `line ${at.line}, column ${at.column}: `;
    super('input', `Cannot read "${file}": ${where}${oneLine}`, { cause });
    this.file = file;
    this.line = at?.line;
    this.column = at?.column;
    this.reason = oneLine;
  }
}

/** The manifest error for an error of `node:fs`. */
export function toManifestError(file: string, error: unknown): ManifestError {
  if (error instanceof ManifestError) return error;
  return new ManifestError(file, failureReason(error), { cause: error });
}

/** Whether an error of `node:fs` means that the file does not exist. */
export function isNotFound(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT';
}
