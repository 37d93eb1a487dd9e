// Why a frontend with the Local policy is left to nft.

/** The kinds of reasons, for counting. */
export const SKIP_CAUSES = [
  'affinity',
  'balance',
  'kernel',
  'node',
  'pod',
  'protocol',
  'capacity',
  'backend_limit',
  'source_ranges',
  'terminating',
  'uplink',
] as const;

export type SkipCause = (typeof SKIP_CAUSES)[number];

/** Why nft has it. */
export interface SkipReason {
  readonly cause: SkipCause;
  /** For people. */
  readonly reason: string;
}
