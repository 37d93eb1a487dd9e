// What the doctor says of one thing, and what it looks at.
import type { System } from '../migration/leftover-cleaner.ts';

export type CheckStatus = 'ok' | 'warning' | 'problem';

/** The outcome of one check. */
export interface Check {
  /** What was looked at, in a word or two. */
  readonly name: string;
  /** `problem`: nftlane does not work here, or not rightly. `warning`: something may surprise. */
  readonly status: CheckStatus;
  /** What was seen. */
  readonly message: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly advice: string;
}

/** The machine, as seen from the network namespace of this process. */
export interface DoctorContext {
  readonly system: System;
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** First and last port of the cluster's node ports. */
  readonly nodePortRange: readonly [number, number];
}

/** Looks at one side of the machine. May throw: that becomes a problem of its own. */
export type CheckFunction = (machine: DoctorContext) => Promise<readonly Check[]>;

export function ok(name: string, message: string): Check {
  return { name, status: 'ok', message, advice: '' };
}

export function warning(name: string, message: string, advice: string): Check {
  return { name, status: 'warning', message, advice };
}

export function problem(name: string, message: string, advice: string): Check {
  return { name, status: 'problem', message, advice };
}
