// Asks the daemon of this network namespace for its state, or else the files that it left.

import { describeProcessState } from '../host/process/process-state.ts';
import { printDuration } from '../lib/duration.ts';
import { VERSION } from '../lib/version.ts';
import { adminSocketPath } from './admin-socket.ts';
import { type CommandStatus, seconds, statusOfDaemon } from './command-status.ts';
import { AdminSocketError, fetchState } from './fetch-state.ts';
import type { DaemonState } from './state/daemon-state.ts';
import { type DaemonStatus, describeProblems } from './state/daemon-status.ts';
import type { Destination } from './state/state-query.ts';
import { type Remains, readStateFiles, readStatusFile } from './state-file/read-state-files.ts';
import { ageOf } from './state-file/stamp.ts';
import { type SavedState, stateFilePaths } from './state-file/state-files.ts';

export type DaemonAnswer =
  | { readonly daemon: 'running'; readonly state: DaemonState; readonly remains: Remains }
  | {
      readonly daemon: 'not-running' | 'not-answering';
      readonly error: AdminSocketError;
      readonly remains: Remains;
    };

/** With a destination, only for the objects that matter for its packets. Never rejects because of the daemon. Takes about half a second if it does not answer. */
export async function askDaemon(runDir: string, destination?: Destination): Promise<DaemonAnswer> {
  const path = adminSocketPath(runDir);
  const paths = stateFilePaths(path);
  const status = await readStatusFile(paths);
  try {
    const state = await fetchState(path, { pid: status?.status.pid, destination });
    // The state file of a large cluster takes a second.
    if (state.ready) return { daemon: 'running', state, remains: status === undefined ? {} : { status } };
    return { daemon: 'running', state, remains: await readStateFiles(paths, VERSION) };
  } catch (error) {
    if (!(error instanceof AdminSocketError)) throw error;
    const remains = await readStateFiles(paths, VERSION);
    return { daemon: error.noState === 'absent' ? 'not-running' : 'not-answering', error, remains };
  }
}

/** The objects to answer from, and what is known about them. */
interface KnownState {
  /** `undefined` if neither a daemon nor its files have complete objects. */
  readonly state: DaemonState | undefined;
  readonly status: CommandStatus;
}

/** What is known of the objects: from the daemon if it has received all, or else from its state file. */
export function knownState(answer: DaemonAnswer): KnownState {
  const saved = answer.remains.state;
  if (answer.daemon === 'running') {
    const { state } = answer;
    const status = statusOfDaemon(state.status);
    if (state.ready || saved === undefined) return { state: state.ready ? state : undefined, status };
    return { state: saved, status: withSavedState(status, saved, undefined) };
  }
  const status = statusOfMissing(answer);
  return {
    state: saved,
    status: saved === undefined ? status : withSavedState(status, saved, answer.remains.status?.status),
  };
}

/** `last` is the last status of the daemon, of which the saved state may be that of the last sync. */
function withSavedState(status: CommandStatus, saved: SavedState, last: DaemonStatus | undefined): CommandStatus {
  const ageMs = ageOf(saved.stamp);
  const isLastSync = last?.pid === saved.pid && last.sync.commits === saved.status.sync.commits;
  const time = isLastSync ? 'the last sync' : `${printDuration(ageMs)} ago`;
  const problem = `objects are those of ${time}, from the state file`;
  return {
    ...status,
    ...{ answersFrom: 'state-file', stateFileSeconds: seconds(ageMs) },
    problems: [...status.problems, problem],
  };
}

/** What a daemon that does not answer has left. Ages have grown since. */
function statusOfMissing({ daemon, error, remains }: Exclude<DaemonAnswer, { daemon: 'running' }>): CommandStatus {
  const { status: file } = remains;
  if (file === undefined)
    return { node: '', answersFrom: 'nothing', daemon, source: '', problems: [describeMissing(daemon, error)] };
  const { stamp, status, isStopped } = file;
  const ageMs = ageOf(stamp);
  const { node, source, sync, pid } = status;
  const seen = `${printDuration(ageMs)} ago`;
  const processState = describeProcessState(pid);
  const problem = {
    'not-running': isStopped ? `daemon was stopped ${seen}` : `daemon not running, last seen ${seen}`,
    'not-answering': `daemon does not answer (${processState === undefined ? error.message : `process ${pid} ${processState}`}), last seen ${seen}`,
  }[daemon];
  return {
    ...{ node, answersFrom: 'nothing', daemon, source: source.name, daemonSeenSeconds: seconds(ageMs) },
    ...(source.contactMs === undefined ? {} : { sourceContactSeconds: seconds(source.contactMs + ageMs) }),
    ...(sync.syncedMs === undefined ? {} : { lastSyncSeconds: seconds(sync.syncedMs + ageMs) }),
    problems: [problem, ...describeProblems(status).map((text) => `before that: ${text}`)],
  };
}

/** Without a file that says more. */
function describeMissing(daemon: 'not-running' | 'not-answering', { message }: Error): string {
  return `${daemon === 'not-running' ? 'daemon not running' : 'daemon does not answer'}: ${message}`;
}
