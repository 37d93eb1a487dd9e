// The end of this process after an error that no code expected.

import { endProcess } from './end-process.ts';

/** Receives the stack. Must not throw. */
type Report = (stack: string) => void;

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
    report(error instanceof Error ? (error.stack ?? error.message) : String(error));
    endProcess(status);
  });
}

/** Replaces the report: a daemon writes it to its log. */
export function reportFatalErrors(to: Report): void {
  report = to;
}
