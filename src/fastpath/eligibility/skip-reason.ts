// Why nftables serves a frontend with externalTrafficPolicy Local.

/** Values of the metrics label `cause`. */
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

export interface SkipReason {
  readonly cause: SkipCause;
  /** For display. */
  readonly reason: string;
}
