// Asks the daemon of this network namespace for its state.

import { adminSocketPath } from './admin-socket.ts';
import { type CommandStatus, statusOfDaemon } from './command-status.ts';
import { AdminSocketError, fetchState } from './fetch-state.ts';
import type { DaemonState } from './state/daemon-state.ts';

export type DaemonAnswer =
  | { readonly daemon: 'running'; readonly state: DaemonState }
  | { readonly daemon: 'not-running' | 'not-answering'; readonly error: AdminSocketError };

/** Never rejects because of the daemon. */
export async function askDaemon(runDir: string): Promise<DaemonAnswer> {
  try {
    return { daemon: 'running', state: await fetchState(adminSocketPath(runDir)) };
  } catch (error) {
    if (!(error instanceof AdminSocketError)) throw error;
    return { daemon: error.noState === 'absent' ? 'not-running' : 'not-answering', error };
  }
}

/** The status of a command that has only this answer. */
export function statusOfAnswer(answer: DaemonAnswer): CommandStatus {
  if (answer.daemon === 'running') return statusOfDaemon(answer.state.status);
  const { daemon, error } = answer;
  const problem = daemon === 'not-running' ? 'daemon not running' : 'daemon does not answer';
  return { node: '', answersFrom: 'nothing', daemon, source: '', problems: [`${problem}: ${error.message}`] };
}
