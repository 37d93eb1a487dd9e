// The first line of each command: what its answer is based on, how old that is, and what is wrong.

import { printDuration } from '../lib/duration.ts';
import { printableLine } from '../lib/printable.ts';
import { type DaemonStatus, describeProblems } from './state/daemon-status.ts';

/** The field `status` of JSON output. Ages are in seconds. */
export interface CommandStatus {
  /** Empty if it is not known. */
  readonly node: string;
  /** What the objects in the answer come from, besides the kernel. */
  readonly answersFrom: 'daemon' | 'state-file' | 'manifests' | 'nothing';
  /** `not-asked`: the command line names manifests. */
  readonly daemon: 'running' | 'not-answering' | 'not-running' | 'not-asked';
  /** The source of the objects; empty if it is not known. */
  readonly source: string;
  /** Since anything was received from the source. */
  readonly sourceContactSeconds?: number;
  /** Since the last successful sync. */
  readonly lastSyncSeconds?: number;
  /** The age of the objects, if they are from the state file. */
  readonly stateFileSeconds?: number;
  /** Since the daemon was last seen alive, if it does not answer. */
  readonly daemonSeenSeconds?: number;
  /** `absent`: no ruleset of nftlane is in this network namespace, and none is missing; only the Services were asked. */
  readonly ruleset?: 'absent';
  /** The worst first; empty if nothing is known to be wrong. */
  readonly problems: readonly string[];
}

/** The status of an answer of a running daemon. */
export function statusOfDaemon(status: DaemonStatus): CommandStatus {
  const { node, source, sync } = status;
  return {
    ...{ node, answersFrom: 'daemon', daemon: 'running', source: source.name },
    ...(source.contactMs === undefined ? {} : { sourceContactSeconds: seconds(source.contactMs) }),
    ...(sync.syncedMs === undefined ? {} : { lastSyncSeconds: seconds(sync.syncedMs) }),
    problems: describeProblems(status),
  };
}

/** The status of an answer from manifests, which are read by the command itself. */
export function statusOfManifests(file: string, node: string): CommandStatus {
  const source = file === '-' ? 'manifests in standard input' : `manifests in ${file}`;
  return { node, answersFrom: 'manifests', daemon: 'not-asked', source, sourceContactSeconds: 0, problems: [] };
}

/** One line, which is a comment in nft's syntax. */
export function printStatus(status: CommandStatus): string {
  const { node, problems } = status;
  const parts = [node === '' ? 'unknown node' : `node ${node}`, ...describeSource(status), ...describeSync(status)];
  return printableLine(
    `# ${[...parts, ...(problems.length === 0 ? [] : [`PROBLEM: ${problems.join('; ')}`])].join('; ')}`,
  );
}

function describeSource({ source, sourceContactSeconds, answersFrom }: CommandStatus): string[] {
  if (source === '') return [];
  if (answersFrom === 'manifests') return [`${source}, read now`];
  const contact = sourceContactSeconds === undefined ? 'no contact yet' : `last contact ${ago(sourceContactSeconds)}`;
  return [`${source}, ${contact}`];
}

function describeSync({ daemon, lastSyncSeconds, source, ruleset }: CommandStatus): string[] {
  if (ruleset === 'absent') return ['no ruleset of nftlane in this network namespace, so only the Services were asked'];
  if (daemon === 'not-asked') return ['daemon not asked'];
  if (source === '') return [];
  return [lastSyncSeconds === undefined ? 'no sync yet' : `last sync ${ago(lastSyncSeconds)}`];
}

function ago(age: number): string {
  return `${printDuration(age * 1000)} ago`;
}

/** Rounded to a tenth. */
export function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
