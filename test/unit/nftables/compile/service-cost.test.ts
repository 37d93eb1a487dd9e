// Tests of src/nftables/compile/service-cost.ts.

import fc from 'fast-check';
import t from 'tap';
import { serviceCost } from '../../../../src/nftables/compile/service-cost.ts';
import { withDefaultFamily } from '../../../../src/services/allocation/complete-service.ts';
import { readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { ClusterObjects, objectEvents } from '../../../support/builders/arbitrary-events.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

/** The number of elements of a Service that is alone in its cluster. */
function compiledElements(objects: readonly ApiObject[]): number {
  return engineOf(objects).differences().length;
}

function costOf(spec: ApiObject, endpoints: readonly ApiObject[]) {
  const { metadata = {}, status = {}, ...rest } = spec as Record<string, ApiObject>;
  const objects = [service('shop/web', { metadata, status, spec: rest }), slice('shop/web', { endpoints })];
  const { value } = readService(objects[0]);
  const slices = [readEndpointSlice(objects[1]).value].flatMap((each) => each ?? []);
  if (value === undefined) throw new Error('Cannot count: the Service is not usable');
  return { cost: serviceCost(value, { slices, nodeName: 'n1' }), compiled: compiledElements(objects) };
}

const TWO = [endpoint('10.1.0.1', { nodeName: 'n1' }), endpoint('10.1.1.1', { nodeName: 'n2' })];
const INGRESS = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } };
const maglev = { annotations: { 'nftlane.io/balance': 'maglev' } };

t.test('serviceCost() is exact for Services whose endpoints are all usable', async (t) => {
  const cases: [about: string, spec: ApiObject][] = [
    ['a cluster IP', {}],
    ['external addresses', { externalIPs: ['192.0.2.7', '192.0.2.8'] }],
    ['a node port', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }],
    ['maglev', { metadata: maglev, externalIPs: ['192.0.2.7'] }],
    ['weights', { metadata: { annotations: { 'nftlane.io/weights': '10.1.0.1=90, 10.1.1.1=30' } } }],
    [
      'source ranges',
      { type: 'LoadBalancer', status: INGRESS, loadBalancerSourceRanges: ['10.0.0.0/8', '11.0.0.0/8'] },
    ],
  ];
  for (const [about, spec] of cases) {
    const { cost, compiled } = costOf(spec, TWO);
    // A load balancer address can itself become a source, which depends on the addresses of the node.
    t.equal(cost.elements, compiled + (about === 'source ranges' ? 1 : 0), about);
  }
});

t.test('serviceCost() counts ports with affinity and source ranges', async (t) => {
  const spec = {
    ...{ type: 'LoadBalancer', status: INGRESS, sessionAffinity: 'ClientIP' },
    loadBalancerSourceRanges: ['10.0.0.0/8'],
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 81 },
    ],
  };
  t.match(costOf(spec, []).cost, { affinityPorts: 2, sourceRanges: 4 });
});

t.test('serviceCost() is an upper bound of what is compiled', async (t) => {
  const property = fc.property(objectEvents(20, { maglev: true }), (history) => {
    const cluster = new ClusterObjects();
    for (const event of history) cluster.apply(event);
    const objects = cluster.objects();
    const slices = objects.flatMap((object) => readEndpointSlice(object).value ?? []);
    for (const object of objects.filter(({ kind }) => kind === 'Service')) {
      const { value } = readService(object);
      if (value === undefined) continue;
      const own = slices.filter((each) => each.service === value.key);
      const { elements } = serviceCost(withDefaultFamily(value, 'ip'), { slices: own, nodeName: 'n1' });
      const others = objects.filter(({ kind }) => kind !== 'Service');
      const nodeElements = compiledElements(others);
      const compiled = compiledElements([...others, object]) - nodeElements;
      if (compiled > elements) throw new Error(`${compiled} elements of ${elements}`);
    }
  });
  fc.assert(property, { numRuns: 60, seed: 1 });
  t.pass('60 clusters');
});
