// Notices a process that does not read the kernel's notifications.

import type { Clock } from '../../../host/clock.ts';
import { type NetlinkReader, readNetlinkReader } from '../../../host/process/process-state.ts';

interface StallDetectorOptions {
  /** `undefined` if it could not be started. */
  readonly pid: number | undefined;
  /** How many lines the process has printed. */
  readonly printedLines: () => number;
  /** Continues the process, because it is stopped. */
  readonly resume: () => void;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Reads the state of the process. Default: from /proc. */
  readonly read?: (pid: number) => NetlinkReader | undefined;
}

/** A look takes 0.05 ms, so this costs 0.01 % of a CPU. A probe would be a commit, and restart every listing that is running. */
const LOOK_INTERVAL_MS = 500;
/** Stopped again or still, although it was continued before. */
const MAX_STOPPED_LOOKS = 6;
/** It sleeps although there are notifications, and has printed nothing meanwhile. */
const MAX_SLEEPING_LOOKS = 3;
/** It is ready to run, or in the kernel: on a machine that is busy enough, neither is a fault of the process. */
const MAX_WAITING_LOOKS = 40;

/**
 * Resolves with the reason when the process has to be replaced, or with an empty text when the signal aborts. A process
 * that is stopped is continued: the kernel has kept its notifications. Looks are counted instead of seconds, so that a
 * machine with a high load, on which this process is late as well, allows more time.
 */
export async function untilStalled(options: StallDetectorOptions, signal: AbortSignal): Promise<string> {
  const { pid, printedLines, resume, clock, read = readNetlinkReader } = options;
  let printed = -1;
  let looks = { stopped: 0, sleeping: 0, waiting: 0 };
  for (;;) {
    await clock.sleep(LOOK_INTERVAL_MS, signal);
    if (signal.aborted) return '';
    const process = pid === undefined ? undefined : read(pid);
    const hasPrinted = printedLines() !== printed;
    printed = printedLines();
    const isStopped = process?.state === 'stopped';
    if (isStopped) resume();
    looks = {
      stopped: isStopped && !hasPrinted ? looks.stopped + 1 : 0,
      ...countUnread(looks, hasPrinted ? undefined : process),
    };
    if (looks.stopped >= MAX_STOPPED_LOOKS) return 'it is stopped, and cannot be continued';
    if (looks.sleeping >= MAX_SLEEPING_LOOKS || looks.waiting >= MAX_WAITING_LOOKS)
      return 'it does not read the notifications';
  }
}

interface UnreadLooks {
  readonly sleeping: number;
  readonly waiting: number;
}

/** How often in a row notifications were waiting for the process. */
function countUnread({ sleeping, waiting }: UnreadLooks, process: NetlinkReader | undefined): UnreadLooks {
  if (process === undefined || process.queuedBytes === 0) return { sleeping: 0, waiting: 0 };
  return { sleeping: process.state === 'sleeping' ? sleeping + 1 : 0, waiting: waiting + 1 };
}
