// Counts the events of a source, and passes them on to a sink.

import type { Store } from '../../engine/store.ts';
import type { Clock } from '../../host/clock.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Kind, KindMap } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { KubeProxyMetrics } from '../kube-proxy/kube-proxy-metrics.ts';
import type { PendingChanges } from '../kube-proxy/pending-changes.ts';

interface CountingSinkOptions {
  readonly sink: Sink;
  /** The objects before the event. */
  readonly store: Pick<Store, 'slice'>;
  readonly changes: PendingChanges;
  readonly metrics: Pick<KubeProxyMetrics, 'serviceChanges' | 'sliceChanges'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** Each object of a list counts as one event, as in kube-proxy. */
export class CountingSink implements Sink {
  readonly #options: CountingSinkOptions;

  constructor(options: CountingSinkOptions) {
    this.#options = options;
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    for (const object of objects) this.#count(kind, object);
    this.#options.changes.queued(this.#options.clock.now());
    this.#options.sink.replace(kind, objects);
  }

  preview<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#trigger(kind, object);
    this.#options.sink.preview?.(kind, object);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#count(kind, object);
    this.#options.changes.queued(this.#options.clock.now());
    this.#options.sink.put(kind, object);
  }

  remove(kind: Kind, key: string): void {
    const { changes, metrics, store, clock, sink } = this.#options;
    if (kind === 'Service') {
      metrics.serviceChanges.inc();
      changes.serviceChanged(key);
    } else if (kind === 'EndpointSlice') {
      const service = store.slice(key)?.service;
      metrics.sliceChanges.inc();
      changes.sliceChanged();
      if (service !== undefined) changes.dropTriggers(service);
    }
    changes.queued(clock.now());
    sink.remove(kind, key);
  }

  #count<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    const { changes, metrics } = this.#options;
    if (kind === 'Service') {
      metrics.serviceChanges.inc();
      changes.serviceChanged(object.key);
    } else if (kind === 'EndpointSlice') {
      metrics.sliceChanges.inc();
      changes.sliceChanged();
      this.#trigger(kind, object);
    }
  }

  #trigger<K extends Kind>(kind: K, { key, value }: ReadResult<KindMap[K]>): void {
    if (kind !== 'EndpointSlice' || value === undefined) return;
    this.#options.changes.recordTrigger(value as EndpointSlice, this.#options.store.slice(key));
  }
}
