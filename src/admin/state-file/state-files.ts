// The two files in which a daemon leaves what it knows, for commands that find it dead or hung.

import type { DaemonState } from '../state/daemon-state.ts';
import type { DaemonStatus } from '../state/daemon-status.ts';
import type { Stamp } from './stamp.ts';

export interface StateFilePaths {
  /** The {@link StatusFile}: small, and written every few seconds. */
  readonly status: string;
  /** The {@link SavedState}, compressed, written after changes, at most in one of a hundred seconds. */
  readonly state: string;
}

/** The contents of the status file, which is JSON. */
export interface StatusFile {
  readonly stamp: Stamp;
  readonly status: DaemonStatus;
  /** The daemon was stopped: it is not missing. */
  readonly isStopped: boolean;
}

/** The contents of the state file, which is compressed JSON. */
export interface SavedState extends DaemonState {
  readonly stamp: Stamp;
}

/** Beside the admin socket. */
export function stateFilePaths(socketPath: string): StateFilePaths {
  const base = socketPath.replace(/\.sock$/, '');
  return { status: `${base}.status.json`, state: `${base}.state.gz` };
}
