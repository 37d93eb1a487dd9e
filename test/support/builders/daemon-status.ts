// Statuses of daemons for tests.

import type { DaemonAnswer } from '../../../src/admin/ask-daemon.ts';
import { AdminSocketError } from '../../../src/admin/fetch-state.ts';
import type { DaemonStatus } from '../../../src/admin/state/daemon-status.ts';

/** The answer where no daemon runs. */
export const NO_DAEMON: DaemonAnswer = {
  daemon: 'not-running',
  error: new AdminSocketError('Cannot read daemon state from "/nowhere": no such file', { noState: 'absent' }),
  remains: {},
};

/** A daemon that is up to date, apart from these fields. */
export function daemonStatus(overrides: Partial<DaemonStatus> = {}): DaemonStatus {
  return {
    ...{ version: '1', pid: 7, node: 'n1', ready: true },
    source: { name: 'test', contactMs: 3_000, resources: [], problems: [] },
    sync: { commits: 1, syncedMs: 12_000 },
    ...overrides,
  };
}
