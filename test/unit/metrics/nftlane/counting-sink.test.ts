// Tests of src/metrics/nftlane/counting-sink.ts.

import { Registry } from 'prom-client';
import t from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { kubeProxyMetrics } from '../../../../src/metrics/kube-proxy/kube-proxy-metrics.ts';
import { PendingChanges } from '../../../../src/metrics/kube-proxy/pending-changes.ts';
import { CountingSink } from '../../../../src/metrics/nftlane/counting-sink.ts';
import { readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { node } from '../../../support/builders/node.ts';
import { put, remove, replaceAll } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { slice } from '../../../support/builders/slice.ts';

const START = Date.UTC(2026, 0, 1);

function open() {
  const store = new Store();
  const changes = new PendingChanges(START, { wallTime: (at) => at });
  let now = START;
  const metrics = kubeProxyMetrics(new Registry());
  const sink = new CountingSink({ sink: store, store, changes, metrics, clock: { now: () => now } });
  const totals = async () => {
    const [services, slices] = [await metrics.serviceChanges.get(), await metrics.sliceChanges.get()];
    return [services.values[0]?.value, slices.values[0]?.value];
  };
  return {
    sink,
    store,
    changes,
    totals,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

function triggered(at: number) {
  const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(at).toISOString() };
  return slice('shop/web', { metadata: { annotations } });
}

t.test('CountingSink counts each Service and EndpointSlice, and passes every object on', async (t) => {
  const { sink, store, changes, totals, pass } = open();
  pass(5);
  replaceAll(sink, [service(), service('shop/api'), slice(), node('n1')]);
  t.strictSame(await totals(), [2, 1]);
  t.strictSame([changes.pendingServices, changes.pendingSlices], [2, 1]);
  t.equal(changes.lastQueuedAt, START + 5);
  put(sink, service(), slice());
  remove(sink, slice(), service('shop/api'));
  t.strictSame(await totals(), [4, 3]);
  t.strictSame([changes.pendingServices, changes.pendingSlices], [2, 3]);
  t.strictSame([[...store.services.keys()], [...store.slices()]], [['shop/web'], []]);
  t.ok(store.nodes.has('n1'));
});

t.test('CountingSink records the trigger of a slice once, and drops it with the slice', async (t) => {
  const { sink, changes } = open();
  const object = triggered(START + 5);
  sink.preview('EndpointSlice', readEndpointSlice(object));
  changes.beginSync();
  t.strictSame(changes.commit(), [{ label: 'IPv4', at: START + 5 }]);
  put(sink, object);
  put(sink, object);
  changes.beginSync();
  t.equal(changes.commit().length, 1, 'the same trigger again is not new');
  put(sink, triggered(START + 9));
  remove(sink, object);
  changes.beginSync();
  t.strictSame(changes.commit(), []);
});
