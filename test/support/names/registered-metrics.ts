// The metrics that the daemon registers.

import type { Metric, MetricObject } from 'prom-client';
import { Engine } from '../../../src/engine/engine.ts';
import { systemClock } from '../../../src/host/clock.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { DEFAULT_OPTIONS } from '../builders/proxy-options.ts';
import { newEvictions } from '../fakes/evictions.ts';
import { silentLog } from '../fakes/silent-log.ts';

/** What prom-client knows of a metric besides what its types say. */
export type RegisteredMetric = Metric &
  MetricObject & { readonly labelNames: readonly string[]; readonly upperBounds?: readonly number[] };

export function registeredMetrics(): RegisteredMetric[] {
  const { registry } = new Metrics({
    engine: new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' }),
    nftClient: { listElements: async () => new Map() },
    clock: systemClock,
    log: silentLog,
    process: {
      version: '',
      nftVersion: () => '',
      evictions: newEvictions(),
      log: { dropped: 0 },
      nftSession: () => ({ pid: undefined, starts: 0, ownsTables: false }),
    },
    connectionLimit: 1,
  });
  return registry.getMetricsAsArray() as unknown as RegisteredMetric[];
}

/** The names of all series, those of histograms included. */
export function seriesNames(): Set<string> {
  return new Set(
    registeredMetrics().flatMap(({ name, upperBounds }) =>
      upperBounds === undefined ? [name] : [name, `${name}_bucket`, `${name}_sum`, `${name}_count`],
    ),
  );
}
