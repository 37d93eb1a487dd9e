// What the doctor says of one thing, and what it looks at.
import type { System } from '../migration/layer.ts';

export type Status = 'ok' | 'warning' | 'problem';

/** The outcome of one check. */
export interface Check {
  /** What was looked at, in a word or two. */
  readonly name: string;
  /** `problem`: nftlane does not work here, or not rightly. `warning`: something may surprise. */
  readonly status: Status;
  /** What was seen. */
  readonly says: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly advice: string;
}

/** The machine, as seen from the network namespace of this process. */
export interface Machine {
  readonly system: System;
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  /** First and last port of the cluster's node ports. */
  readonly nodePorts: readonly [number, number];
}

/** Looks at one side of the machine. May throw: that becomes a problem of its own. */
export type Examination = (machine: Machine) => Promise<readonly Check[]>;

export function ok(name: string, says: string): Check {
  return { name, status: 'ok', says, advice: '' };
}

export function warning(name: string, says: string, advice: string): Check {
  return { name, status: 'warning', says, advice };
}

export function problem(name: string, says: string, advice: string): Check {
  return { name, status: 'problem', says, advice };
}
