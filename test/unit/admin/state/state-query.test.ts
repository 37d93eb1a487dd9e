// Tests of src/admin/state/state-query.ts.

import t from 'tap';
import { engineFromState, engineState } from '../../../../src/admin/state/daemon-state.ts';
import { destinationOf, servicesAt, slicesAt, statePath } from '../../../../src/admin/state/state-query.ts';
import type { Engine } from '../../../../src/engine/engine.ts';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { resolveFlow } from '../../../../src/explain/services/resolve-flow.ts';
import { buildServiceTable } from '../../../../src/explain/services/service-table.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

const PORTS = [{ port: 80, nodePort: 30_080 }];
const OBJECTS = [
  service('shop/web', { spec: { type: 'NodePort', ...clusterIps('172.30.0.1'), ports: PORTS } }),
  slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }),
  // The older Service of an external IP has it.
  service('shop/late', { spec: { ...clusterIps('172.30.0.2'), externalIPs: ['198.51.100.1'], ports: [{ port: 80 }] } }),
  service('shop/early', {
    metadata: { creationTimestamp: '2020-01-01T00:00:00Z' },
    spec: { ...clusterIps('172.30.0.3'), externalIPs: ['198.51.100.1'], ports: [{ port: 80 }] },
  }),
  slice('shop/late', { endpoints: [endpoint('10.1.0.3')] }),
  slice('shop/early', { endpoints: [endpoint('10.1.0.4')] }),
  service('shop/lb', {
    spec: { type: 'LoadBalancer', ...clusterIps('172.30.0.4'), ports: [{ port: 443 }] },
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.2' }] } },
  }),
  // The address of a pod of another Service.
  service('evil/pod', { spec: { ...clusterIps('10.1.0.2'), ports: [{ port: 443 }] } }),
];

const keysAt = (engine: Engine, address: string, port: number) =>
  servicesAt(engine, { address, port }).map(({ key }) => key);

t.test('destinationOf() is the inverse of statePath()', async (t) => {
  for (const destination of [{ address: '10.96.0.1', port: 80 }, { address: 'fd00::1', port: 65_535 }, undefined])
    t.strictSame(destinationOf(statePath(destination)), destination);
  for (const path of ['', '/', '//', '/state?', '/state?address=10.0.0.1', '/state?port=80', '/?address=a&port=x'])
    t.equal(destinationOf(path), undefined, path);
});

t.test('servicesAt() finds Services by each kind of address, and by node port', async (t) => {
  const engine = engineOf(OBJECTS);
  t.strictSame(keysAt(engine, '172.30.0.1', 80), ['shop/web']);
  t.strictSame(keysAt(engine, '172.30.0.1', 81), ['shop/web'], 'a port that the Service lacks is refused');
  t.strictSame(keysAt(engine, '192.168.0.1', 30_080), ['shop/web']);
  t.strictSame(keysAt(engine, '198.51.100.1', 80).sort(), ['shop/early', 'shop/late'], 'all that claim it');
  t.strictSame(keysAt(engine, '198.51.100.2', 443), ['shop/lb']);
  t.strictSame(keysAt(engine, '10.1.0.1', 8080), []);
  t.equal(servicesAt(engine, undefined).length, 5);
});

t.test('servicesAt() returns all Services when there are limits, which depend on all', async (t) => {
  const engine = { store: engineOf(OBJECTS).store, limited: () => [{ service: 'shop/lb' }] };
  t.equal(servicesAt(engine as unknown as Engine, { address: '172.30.0.1', port: 80 }).length, 5);
});

t.test('the state for a destination has what decides where its packets go', async (t) => {
  const engine = engineOf(OBJECTS);
  const host = { addresses: [], routes: [] };
  const flow = (packet: Packet, from: Engine) => {
    const state = {
      services: from.services(),
      slicesOf: (key: string) => from.store.slicesOf(key),
      slices: from.store.slices(),
    };
    return resolveFlow(packet, buildServiceTable(state, from.node, host));
  };
  for (const [destination, destinationPort] of [
    ['172.30.0.1', 80],
    ['172.30.0.1', 81],
    ['198.51.100.1', 80],
    ['198.51.100.2', 443],
    ['172.30.0.99', 80],
    ['10.1.0.2', 443],
    ['10.1.0.2', 8080],
    ['10.1.0.1', 8080],
  ] as const) {
    const packet: Packet = {
      ...{ family: 'ip', protocol: 'tcp', source: '192.0.2.1', sourcePort: 40_000, inInterface: 'eth0' },
      ...{ destination, destinationPort },
    };
    const state = engineState(engine, { address: destination, port: destinationPort });
    t.ok(state.objects.Service.length < 5);
    t.ok(state.objects.EndpointSlice.length < 3);
    const restricted = engineFromState(state);
    restricted.adopt({ elements: new Map(), chains: [] });
    restricted.compile();
    const { entry: _, ...expected } = flow(packet, engine);
    t.match(flow(packet, restricted), expected, `${destination}:${destinationPort}`);
  }
});

t.test('slicesAt() adds the slices with an endpoint at a destination that is a cluster IP', async (t) => {
  const engine = engineOf(OBJECTS);
  const keys = (address: string) => {
    const destination = { address, port: 1 };
    return slicesAt(engine, { services: servicesAt(engine, destination), destination }).map(({ key }) => key);
  };
  t.strictSame(keys('10.1.0.2'), ['shop/web-1']);
  t.strictSame(keys('10.1.0.1'), [], 'no cluster IP');
  t.strictSame(keys('172.30.0.2'), ['shop/late-1']);
  t.equal(slicesAt(engine, { services: [], destination: undefined }).length, 3);
});
