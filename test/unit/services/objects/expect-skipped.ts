// Expects that a reader skips an object without reporting issues.

import type { Test } from 'tap';
import type { ReadResult } from '../../../../src/services/objects/read.ts';

export interface ExpectedSkip {
  readonly key: string;
  readonly reason: RegExp;
  /** The message of the assertions. */
  readonly about: string;
}

export function expectSkipped(t: Test, result: ReadResult<unknown>, { key, reason, about }: ExpectedSkip): void {
  t.equal(result.key, key, about);
  t.equal(result.value, undefined, about);
  t.match(result.skipped, reason, about);
  t.strictSame(result.issues, [], about);
}
