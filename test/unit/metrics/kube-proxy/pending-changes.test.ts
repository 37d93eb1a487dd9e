// Tests of src/metrics/kube-proxy/pending-changes.ts.

import t from 'tap';
import { PendingChanges } from '../../../../src/metrics/kube-proxy/pending-changes.ts';
import { readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';

const START = Date.UTC(2026, 0, 1);

function sliceTriggered(at: number, addressType = 'IPv4') {
  const { value } = readEndpointSlice({
    metadata: {
      namespace: 'shop',
      name: 'web-1',
      labels: { 'kubernetes.io/service-name': 'web' },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(at).toISOString() },
    },
    addressType,
    ports: [],
    endpoints: [],
  });
  if (value === undefined) throw new Error('Cannot read EndpointSlice');
  return value;
}

t.test('PendingChanges assigns each change to one sync', async (t) => {
  const changes = new PendingChanges(START, { wallTime: (at) => at });
  changes.serviceChanged('shop/web');
  changes.serviceChanged('shop/web');
  changes.sliceChanged();
  changes.sliceChanged();
  changes.recordTrigger(sliceTriggered(START + 5), undefined);
  t.strictSame([changes.pendingServices, changes.pendingSlices], [1, 2]);
  changes.beginSync();
  t.strictSame([changes.pendingServices, changes.pendingSlices], [0, 0]);
  changes.serviceChanged('shop/late');
  changes.recordTrigger(sliceTriggered(START + 6), undefined);
  t.strictSame(changes.commit(), [{ label: 'IPv4', at: START + 5 }]);
  t.strictSame([changes.pendingServices, changes.pendingSlices], [1, 0]);
  changes.beginSync();
  t.equal(changes.pendingServices, 0);
  t.strictSame(changes.commit(), [{ label: 'IPv4', at: START + 6 }]);
  t.strictSame(changes.commit(), []);
});

t.test('PendingChanges makes the changes of a failed sync pending again', async (t) => {
  const changes = new PendingChanges(START, { wallTime: (at) => at });
  changes.serviceChanged('shop/web');
  changes.sliceChanged();
  changes.recordTrigger(sliceTriggered(START + 5), undefined);
  changes.beginSync();
  changes.sliceChanged();
  changes.recordTrigger(sliceTriggered(START + 9, 'IPv6'), undefined);
  changes.rollback();
  t.strictSame([changes.pendingServices, changes.pendingSlices], [1, 2]);
  changes.beginSync();
  t.strictSame(changes.commit(), [
    { label: 'IPv4', at: START + 5 },
    { label: 'IPv6', at: START + 9 },
  ]);
});

t.test('PendingChanges records only new triggers', async (t) => {
  const cases = [
    { name: 'before the start', slice: sliceTriggered(START - 1), count: 0 },
    { name: 'the same trigger', slice: sliceTriggered(START + 7), previous: sliceTriggered(START + 7), count: 0 },
    { name: 'a new trigger', slice: sliceTriggered(START + 8), previous: sliceTriggered(START + 7), count: 1 },
  ];
  for (const { name, slice, previous, count } of cases) {
    const changes = new PendingChanges(START, { wallTime: (at) => at });
    changes.recordTrigger(slice, previous);
    changes.beginSync();
    t.equal(changes.commit().length, count, name);
  }
  const changes = new PendingChanges(START, { wallTime: (at) => at });
  changes.recordTrigger(sliceTriggered(START + 8), undefined);
  changes.dropTriggers('shop/web');
  changes.beginSync();
  t.strictSame(changes.commit(), [], 'the trigger of a removed slice is dropped');
});

t.test('PendingChanges has a size limit while syncs fail', async (t) => {
  const changes = new PendingChanges(START, { wallTime: (at) => at });
  for (let n = 1; n <= 10_010; n++) changes.recordTrigger(sliceTriggered(START + n), undefined);
  changes.beginSync();
  t.equal(changes.commit().length, 10_000);
});
