// Upper bounds of histograms. kube-proxy's metrics have kube-proxy's buckets, so that its dashboards and alerts work.

import { exponentialBuckets, linearBuckets } from 'prom-client';

/** Durations of syncs: 1 ms to 16 s, in seconds. */
export const SYNC_SECONDS = exponentialBuckets(0.001, 2, 15);

/** From the change of a pod to the programmed rules: 0.25 s to 5 min. */
export const PROGRAMMING_SECONDS = [
  0.25,
  0.5,
  ...linearBuckets(1, 1, 59),
  ...linearBuckets(60, 5, 12),
  ...linearBuckets(120, 30, 7),
];

/** Requests to the API server, as in client-go. */
export const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** Stages of a sync, most of which take less than a millisecond: 0.1 ms to 13 s. */
export const STAGE_SECONDS = exponentialBuckets(0.0001, 2, 18);

/** 1 to 10,000 operations. */
export const TRANSACTION_OPERATIONS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
