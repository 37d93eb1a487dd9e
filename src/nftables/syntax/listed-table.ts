// A table of any program, as nft lists it without its elements.

export interface ListedTable {
  readonly family: string;
  readonly name: string;
  /** Such as `dormant`, `owner` and `persist`. */
  readonly flags: readonly string[];
  readonly chains: readonly TableChain[];
  readonly setsAndMaps: readonly ListedDeclaration[];
  /** Objects of other kinds, such as flow tables and counters. */
  readonly others: readonly { readonly kind: string; readonly name: string }[];
}

export interface TableChain {
  readonly name: string;
  /** Only for base chains. */
  readonly hook?: ListedHook;
  /** In nft syntax, in their order. */
  readonly rules: readonly string[];
}

export interface ListedHook {
  readonly type: string;
  readonly hook: string;
  /** `undefined` for a name that is not known. */
  readonly priority: number | undefined;
  readonly policy: string;
  /** The device of a netdev or ingress chain, with everything else that the line has; mostly empty. */
  readonly rest: string;
}

export interface ListedDeclaration {
  readonly kind: 'set' | 'map';
  readonly name: string;
  /** The lines of the declaration, such as `typeof ip daddr` and `size 65535`. */
  readonly properties: readonly string[];
}
