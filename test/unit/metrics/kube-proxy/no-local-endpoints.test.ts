// Tests of src/metrics/kube-proxy/no-local-endpoints.ts.

import t from 'tap';
import { NoLocalEndpoints } from '../../../../src/metrics/kube-proxy/no-local-endpoints.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { put, remove } from '../../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

const EXTERNAL = { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] };

function open(...objects: Parameters<typeof put>[1][]) {
  const engine = engineOf(objects);
  const subject = new NoLocalEndpoints();
  /** The counts other than 0 after a commit. */
  const counts = () => {
    commitAll(engine);
    subject.update(engine.changes.take());
    return subject
      .counts()
      .filter(({ count }) => count > 0)
      .map(({ policy, label, count }) => `${policy} ${label} ${count}`);
  };
  return { engine, counts };
}

const remote = (name = 'shop/web') => slice(name, { endpoints: [endpoint('10.1.0.1', { nodeName: 'n2' })] });
const local = slice('shop/web', { endpoints: [endpoint('10.1.0.1', { nodeName: 'n1' })] });

t.test('NoLocalEndpoints counts ports with the Local policy whose endpoints are on other nodes', async (t) => {
  const both = { ...EXTERNAL, internalTrafficPolicy: 'Local' };
  const { engine, counts } = open(service('shop/web', { spec: both }), remote());
  t.strictSame(counts(), ['internal IPv4 1', 'external IPv4 1']);
  put(engine, service('shop/web', { spec: EXTERNAL }));
  t.strictSame(counts(), ['external IPv4 1']);
  put(engine, local);
  t.strictSame(counts(), []);
});

t.test('NoLocalEndpoints ignores the Cluster policy and Services without endpoints', async (t) => {
  const { counts } = open(
    service('shop/web'),
    remote(),
    service('shop/empty', { spec: { ...clusterIps('10.96.0.2'), internalTrafficPolicy: 'Local' } }),
  );
  t.strictSame(counts(), []);
});

t.test('NoLocalEndpoints drops deleted and refused Services', async (t) => {
  const { engine, counts } = open(service('shop/web', { spec: EXTERNAL }), remote());
  t.strictSame(counts(), ['external IPv4 1']);
  engine.refuse({ service: 'shop/web', reason: 'Out of range' });
  t.strictSame(counts(), []);
  put(engine, remote());
  put(engine, service('shop/web', { spec: EXTERNAL }));
  t.strictSame(counts(), ['external IPv4 1']);
  remove(engine, service('shop/web', { spec: EXTERNAL }));
  t.strictSame(counts(), []);
});
