// The end of this process after an error that no code expected.

import { endProcess } from './end-process.ts';

interface FatalError {
  /** The class and the message. */
  readonly reason: string;
  /** Where it was thrown, and its callers, innermost first: what a report of the fault needs. */
  readonly stack: readonly string[];
}

/** Must not throw. */
type Report = (error: FatalError) => void;

let report: Report = () => {};
let isEnding = false;

/**
 * Ends the process with `status` after an uncaught exception or an unhandled rejection: its parts may contradict each
 * other then. A service manager starts it again, and the kernel keeps forwarding.
 */
export function handleFatalErrors(status: number, initialReport: Report): void {
  report = initialReport;
  process.on('uncaughtException', (error: unknown) => {
    // An error of the report itself.
    if (isEnding) endProcess(status);
    isEnding = true;
    report(describe(error));
    endProcess(status);
  });
}

function describe(error: unknown): FatalError {
  const { stack = '' } = error instanceof Error ? error : {};
  const frames = stack.split('\n').filter((line) => /^ {4}at /.test(line));
  return { reason: String(error), stack: frames.map((line) => line.trim()) };
}

/** Replaces the report: a daemon writes it to its log. */
export function reportFatalErrors(to: Report): void {
  report = to;
}
