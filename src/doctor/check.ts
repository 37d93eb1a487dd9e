// The result of a check, and the machine that checks examine.

import type { DaemonAnswer } from '../admin/ask-daemon.ts';
import type { System } from '../host/process/system.ts';

type CheckStatus = 'ok' | 'warning' | 'problem';

/** The outcome of one check. */
export interface Check {
  /** The subject, in a word or two. */
  readonly name: string;
  /** `problem`: nftlane does not work correctly here. `warning`: the state is legitimate, but often a mistake. */
  readonly status: CheckStatus;
  /** The observed state. */
  readonly message: string;
  /** How to fix it; empty if there is nothing to fix. */
  readonly advice: string;
}

/** The machine, as seen from this process's network namespace. */
export interface DoctorContext {
  readonly system: System;
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** What the daemon said about itself. */
  readonly daemon: DaemonAnswer;
  /** First and last port of the cluster's node ports. */
  readonly nodePortRange: readonly [number, number];
}

/** Checks one aspect of the machine. An error becomes a problem. */
export type CheckFunction = (context: DoctorContext) => Promise<readonly Check[]>;

export function ok(name: string, message: string): Check {
  return { name, status: 'ok', message, advice: '' };
}

export function warning(name: string, message: string, advice: string): Check {
  return { name, status: 'warning', message, advice };
}

export function problem(name: string, message: string, advice: string): Check {
  return { name, status: 'problem', message, advice };
}
