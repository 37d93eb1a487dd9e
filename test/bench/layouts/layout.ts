// The interface of a layout under measurement, and the protocol of the program that runs it.

/** A layout in the kernel of one network namespace. Times are milliseconds. */
export interface Layout {
  /** Replaces everything; returns the time that nft took. Rejects after the time limit. */
  load(): Promise<number>;
  /** Replaces an endpoint. */
  change(): Promise<number>;
  /** Adds an endpoint to a Service that has as many as the others, so that its dispatch may change, too. */
  grow(): Promise<number>;
  /** Adds a Service. */
  add(): Promise<number>;
  /** Runs what the layout does before each change: a listing, or nothing. */
  prepare(): Promise<number>;
  /** `nft list table`. */
  list(): Promise<number>;
}

export interface LayoutSetup {
  readonly services: number;
  readonly endpoints: number;
  readonly timeoutMs: number;
}

export type LayoutName = 'chains' | 'maps';
export const LAYOUT_NAMES: readonly LayoutName[] = ['chains', 'maps'];

/** A method to call repeatedly, up to a number of times and a time limit. */
export interface ProbeCommand {
  readonly call: keyof Layout;
  readonly times?: number;
  readonly budgetMs?: number;
}

/** The duration of each call, or the reason of a failure. */
export interface ProbeReply {
  readonly ms?: readonly number[];
  readonly failure?: string;
}
