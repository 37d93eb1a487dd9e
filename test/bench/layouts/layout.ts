// What is asked of a layout: both are measured by the same orders.

/** A layout in the kernel of one network namespace. Times are milliseconds. */
export interface Layout {
  /** Removes what is there and loads everything; how long nft took. Rejects when it takes longer than allowed. */
  load(): Promise<number>;
  /** Another endpoint in place of one. */
  change(): Promise<number>;
  /** One endpoint more, for a Service that has as many as all others: what leads to it may then change, too. */
  grow(): Promise<number>;
  /** One Service more. */
  add(): Promise<number>;
  /** What happens before each change, whatever it is: a listing, or nothing. */
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

/** A call of one method, so many times in a row or until the time is up, whichever comes first. */
export interface ProbeCommand {
  readonly call: keyof Layout;
  readonly times?: number;
  readonly budgetMs?: number;
}

/** The time of each call, or why there is none. */
export interface ProbeReply {
  readonly ms?: readonly number[];
  readonly failure?: string;
}
