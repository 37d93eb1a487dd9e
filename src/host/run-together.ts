// Runs the parts of a program together: when one ends, all end.

type Task = (signal: AbortSignal) => Promise<void>;

interface RunTogetherOptions {
  readonly signal: AbortSignal;
  /** Receives the names of the tasks that still run so long after the signal to stop. */
  readonly onLate: (names: readonly string[]) => void;
  readonly lateMs?: number;
}

/** Half of what the process has to stop. */
const LATE_MS = 1_000;

/**
 * Runs all tasks until the signal aborts, or one of them ends; a failed part must not leave the others running. Resolves when
 * all have ended, and rejects with the first failure.
 */
export async function runTogether(
  tasks: Readonly<Record<string, Task>>,
  { signal, onLate, lateMs = LATE_MS }: RunTogetherOptions,
): Promise<void> {
  const stop = new AbortController();
  const running = new Set(Object.keys(tasks));
  const anySignal = AbortSignal.any([signal, stop.signal]);
  let timer: NodeJS.Timeout | undefined;
  const startTimer = (): void => {
    timer ??= setTimeout(() => onLate([...running]), lateMs).unref();
  };
  if (anySignal.aborted) startTimer();
  else anySignal.addEventListener('abort', startTimer, { once: true });
  const run = async ([name, task]: [string, Task]): Promise<void> => {
    try {
      await task(anySignal);
    } finally {
      running.delete(name);
      stop.abort();
    }
  };
  const results = await Promise.allSettled(Object.entries(tasks).map(run));
  clearTimeout(timer);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}
