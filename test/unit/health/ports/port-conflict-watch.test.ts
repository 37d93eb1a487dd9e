// Tests of src/health/ports/port-conflict-watch.ts.

import t from 'tap';
import { watchPortConflicts } from '../../../../src/health/ports/port-conflict-watch.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { node } from '../../../support/builders/node.ts';
import { service } from '../../../support/builders/service.ts';
import { waitUntil } from '../../../support/wait-until.ts';

t.test('watchPortConflicts() reports changes of conflicts, and requests a sync for them', async (t) => {
  const spec = { type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 22 }] };
  const engine = engineOf([service('shop/ssh', { spec }), node()]);
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  let [requests, reads, isListening] = [0, 0, true];
  watchPortConflicts({
    engine,
    requestSync: () => {
      requests += 1;
    },
    signal: stop.signal,
    intervalMs: 5,
    sockets: async () => {
      reads += 1;
      return isListening ? [{ protocol: 'tcp', address: '0.0.0.0', port: 22 }] : [];
    },
  });
  await waitUntil('several reads', () => reads >= 3);
  t.match(engine.issues(), [{ object: 'Service shop/ssh', field: 'spec.ports[].nodePort', value: '22' }]);
  t.equal(requests, 1, 'once');
  isListening = false;
  await waitUntil('no issue', () => engine.issues().length === 0);
  t.equal(requests, 2);
});
