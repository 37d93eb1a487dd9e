// Tests of src/sources/guard/start-loss.ts.

import t from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { runSteps } from '../../../../src/lib/steps.ts';
import { KINDS } from '../../../../src/services/objects/kinds.ts';
import { startLoss } from '../../../../src/sources/guard/start-loss.ts';
import { webService, webSlice } from './guarded-world.ts';

interface Source {
  readonly services: readonly number[];
  readonly slices: readonly number[];
  readonly unready?: readonly number[];
}

function storeOf({ services, slices, unready = [] }: Source): Store {
  const store = new Store();
  store.replace(
    'Service',
    services.map((index) => KINDS.Service.read(webService(index))),
  );
  const read = (index: number, ready: number) => KINDS.EndpointSlice.read(webSlice(index, { ready, unready: 1 }));
  store.replace('EndpointSlice', [...slices.map((index) => read(index, 2)), ...unready.map((index) => read(index, 0))]);
  return store;
}

const kernelOf = (...services: readonly number[]) => new Set(services.map((index) => `a/s${index}`));

t.test('startLoss() counts the Services of the kernel that the source lacks, and those with endpoints', async (t) => {
  const kernel = new Map([['ip' as const, kernelOf(1, 2, 3)]]);
  const lossOf = (source: Source) => runSteps(startLoss(kernel, storeOf(source)));
  const all = [1, 2, 3, 4];
  t.strictSame(lossOf({ services: all, slices: all }), { services: 0, families: [] });
  t.strictSame(lossOf({ services: [], slices: [] }), { services: 3, families: [{ lost: 3, present: 0 }] });
  t.strictSame(lossOf({ services: [1, 4], slices: all }), { services: 2, families: [{ lost: 2, present: 2 }] });
  t.strictSame(lossOf({ services: all, slices: [4] }), { services: 3, families: [{ lost: 3, present: 1 }] });
  const unready = lossOf({ services: all, slices: [1, 2], unready: [3] });
  t.strictSame(unready, { services: 1, families: [{ lost: 1, present: 2 }] });
});

t.test('startLoss() counts each family for itself, and a Service once', async (t) => {
  const kernel = new Map([
    ['ip', kernelOf(1, 2)],
    ['ip6', kernelOf(1, 2)],
  ] as const);
  const ipv4 = runSteps(startLoss(kernel, storeOf({ services: [1, 2], slices: [1, 2] })));
  t.strictSame(ipv4, { services: 2, families: [{ lost: 2, present: 0 }] }, 'only the IPv6 endpoints are gone');
  const none = runSteps(startLoss(kernel, storeOf({ services: [], slices: [] })));
  t.strictSame(none.services, 2);
  t.equal(none.families.length, 2);
});
