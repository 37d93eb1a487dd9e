// Tests of src/fastpath/maps/slots.ts.

import t from 'tap';
import type { BackendValue } from '../../../../src/fastpath/maps/entries.ts';
import { MAX_BACKENDS } from '../../../../src/fastpath/maps/layout.ts';
import { GENERATION_SLOT, Slots } from '../../../../src/fastpath/maps/slots.ts';

const BACKEND: BackendValue = {
  ...{ address: '10.1.0.1', port: 8080, protocol: 'tcp', flags: 0, ifindex: 7, gen: 5, svc: 1, l3if: 7, mtu: 1500 },
  ...{ mac: new Uint8Array(6), gatewayMac: new Uint8Array(6) },
};
const AT = { svc: 1, now: 10_000 };

t.test('Slots adopts installed backends, and free slots have generation 0', async (t) => {
  const slots = new Slots(new Map([1, 2].map((slot) => [slot, { ...BACKEND, gen: slot === 1 ? 5 : 0 }])), 1000);
  t.strictSame(
    [...slots.used].map(({ index, idleSince }) => [index, idleSince]),
    [[1, 1000]],
  );
  t.equal(slots.generation, 5);
  t.equal(slots.find(1, BACKEND), 1);
  t.equal(slots.find(2, BACKEND), undefined, 'another Service port has its own slot');
});

t.test('Slots continues after the highest stored generation', async (t) => {
  const slots = new Slots(new Map([[GENERATION_SLOT, { ...BACKEND, gen: 0, svc: 90 }]]), 0);
  t.equal(slots.allocate(BACKEND, AT)?.backend.gen, 91);
  t.equal(slots.generation, 91);
});

t.test('allocate() reuses a freed slot only after a second', async (t) => {
  const slots = new Slots(new Map(), Number.NEGATIVE_INFINITY);
  for (let port = 1; port < MAX_BACKENDS; port++) slots.allocate({ ...BACKEND, port }, AT);
  t.equal(slots.allocate(BACKEND, AT), undefined, 'all slots are used');
  slots.free(9, AT.now);
  t.equal(slots.allocate(BACKEND, { svc: 1, now: AT.now + 999 }), undefined);
  const slot = slots.allocate(BACKEND, { svc: 1, now: AT.now + 1000 });
  t.equal(slot?.index, 9);
  t.equal(slot?.backend.gen, MAX_BACKENDS);
});

t.test('updatePath() returns the slot only if the path changed', async (t) => {
  const slots = new Slots(new Map([[3, BACKEND]]), 0);
  t.equal(slots.updatePath(3, BACKEND), undefined);
  t.equal(slots.updatePath(3, { ...BACKEND, mtu: 1400 })?.backend.mtu, 1400);
  t.equal(slots.updatePath(4, BACKEND), undefined, 'the slot is free');
});

t.test('setReferenced() records when a slot became idle', async (t) => {
  const slots = new Slots(new Map([[3, BACKEND]]), 50);
  slots.setReferenced(3, { isReferenced: true, now: 60 });
  t.equal(slots.get(3)?.idleSince, undefined);
  slots.setReferenced(3, { isReferenced: false, now: 70 });
  slots.setReferenced(3, { isReferenced: false, now: 80 });
  t.equal(slots.get(3)?.idleSince, 70);
});
