// Upper bounds of histograms. Those of kube-proxy's metrics are kube-proxy's, so that its dashboards and alerts carry over.
import { exponentialBuckets, linearBuckets } from 'prom-client';

/** 1 ms to 16 s, in seconds: durations of kube-proxy's syncs. */
export const SYNC_SECONDS = exponentialBuckets(0.001, 2, 15);

/** A quarter of a second to five minutes: from the change of a pod to the rules that know it. */
export const PROGRAMMING_SECONDS = [
  0.25,
  0.5,
  ...linearBuckets(1, 1, 59),
  ...linearBuckets(60, 5, 12),
  ...linearBuckets(120, 30, 7),
];

/** client-go's for requests to the API server. */
export const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** 0.1 ms to 13 s: what a sync here is made of is below a millisecond most of the time. */
export const STAGE_SECONDS = exponentialBuckets(0.0001, 2, 18);

/** 1 operation to a whole run of 5,000. */
export const TRANSACTION_OPERATIONS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
