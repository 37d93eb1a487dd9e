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
  if (value === undefined) throw new Error('The slice of the test cannot be read');
  return value;
}

t.test('ChangeBook hands a sync what was pending, and nothing of it to the next', async (t) => {
  const book = new PendingChanges(START);
  book.serviceChanged('shop/web');
  book.serviceChanged('shop/web');
  book.sliceChanged();
  book.sliceChanged();
  book.recordTrigger(sliceTriggered(START + 5), undefined);
  t.strictSame([book.pendingServices, book.pendingSlices], [1, 2]);
  book.beginSync();
  t.strictSame([book.pendingServices, book.pendingSlices], [0, 0]);
  book.serviceChanged('shop/late');
  book.recordTrigger(sliceTriggered(START + 6), undefined);
  t.strictSame(book.commit(), [{ label: 'IPv4', at: START + 5 }]);
  t.strictSame([book.pendingServices, book.pendingSlices], [1, 0]);
  book.beginSync();
  t.equal(book.pendingServices, 0);
  t.strictSame(book.commit(), [{ label: 'IPv4', at: START + 6 }]);
  t.strictSame(book.commit(), []);
});

t.test('ChangeBook takes back what a failed sync had taken up', async (t) => {
  const book = new PendingChanges(START);
  book.serviceChanged('shop/web');
  book.sliceChanged();
  book.recordTrigger(sliceTriggered(START + 5), undefined);
  book.beginSync();
  book.sliceChanged();
  book.recordTrigger(sliceTriggered(START + 9, 'IPv6'), undefined);
  book.rollback();
  t.strictSame([book.pendingServices, book.pendingSlices], [1, 2]);
  book.beginSync();
  t.strictSame(book.commit(), [
    { label: 'IPv4', at: START + 5 },
    { label: 'IPv6', at: START + 9 },
  ]);
});

t.test('ChangeBook notes only triggers that are news', async (t) => {
  const cases = [
    { name: 'from before the start', slice: sliceTriggered(START - 1), count: 0 },
    { name: 'the same as before', slice: sliceTriggered(START + 7), former: sliceTriggered(START + 7), count: 0 },
    { name: 'another than before', slice: sliceTriggered(START + 8), former: sliceTriggered(START + 7), count: 1 },
  ];
  for (const { name, slice, former, count } of cases) {
    const book = new PendingChanges(START);
    book.recordTrigger(slice, former);
    book.beginSync();
    t.equal(book.commit().length, count, name);
  }
  const book = new PendingChanges(START);
  book.recordTrigger(sliceTriggered(START + 8), undefined);
  book.dropTriggers('shop/web');
  book.beginSync();
  t.strictSame(book.commit(), [], 'a slice that is gone is not waited for');
});

t.test('ChangeBook does not grow without bounds while syncs fail', async (t) => {
  const book = new PendingChanges(START);
  for (let n = 1; n <= 10_010; n++) book.recordTrigger(sliceTriggered(START + n), undefined);
  book.beginSync();
  t.equal(book.commit().length, 10_000);
});
