// Follows the preferred sources of routes.

import { errorMessage } from '../../lib/error-message.ts';
import type { RouteSource } from '../../net/host.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { LogOnce } from '../log-once.ts';

interface RouteSourceWatcherOptions {
  /** Resolves with the current ones; none if they are not used. */
  readonly read: () => Promise<readonly RouteSource[]>;
  /** Those that are known. */
  readonly known: () => readonly RouteSource[];
  /** They differ from the known ones. */
  readonly onChange: (found: readonly RouteSource[]) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** Until a change is noticed, sources are masqueraded by the previous routes. Reading takes some milliseconds. */
const INTERVAL_MS = 5000;

/** Runs until the signal aborts. */
export async function watchRouteSources(options: RouteSourceWatcherOptions, signal: AbortSignal): Promise<void> {
  const { read, known, onChange, log, clock } = options;
  const failures = new LogOnce(log);
  for (;;) {
    await clock.sleep(INTERVAL_MS, signal);
    if (signal.aborted) return;
    try {
      const found = await read();
      if (failures.reset()) log.info('preferred sources of routes are known again');
      if (JSON.stringify(found) !== JSON.stringify(known())) onChange(found);
    } catch (error) {
      const reason = errorMessage(error);
      failures.log('warn', 'cannot read preferred sources of routes; keeping the last known ones', { reason });
    }
  }
}
