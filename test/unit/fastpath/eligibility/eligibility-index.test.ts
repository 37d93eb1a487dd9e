// Tests of src/fastpath/eligibility/eligibility-index.ts and eligibility.ts.

import t from 'tap';
import { Engine } from '../../../../src/engine/engine.ts';
import { type DesiredFrontends, EligibilityIndex } from '../../../../src/fastpath/eligibility/eligibility-index.ts';
import { node } from '../../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { replaceAll } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { DRAINING, endpoint, slice } from '../../../support/builders/slice.ts';
import { type ApiObject, merge } from '../../../support/deployment/merge.ts';

const HERE = { nodeName: 'n1' };
const LOCAL = { spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [port('TCP')] } };

function port(protocol: string): ApiObject {
  return { port: 80, nodePort: 30080, protocol };
}

/** What these objects ask for, with one endpoint here unless there is another slice. */
function desiredOf(
  objects: readonly ApiObject[],
  hostAddresses: readonly string[] = ['192.0.2.1', '127.0.0.1'],
): DesiredFrontends {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const book = new EligibilityIndex(engine);
  const slices = objects.some(({ kind }) => kind === 'EndpointSlice') ? [] : [sliceOf([endpoint('10.1.0.1', HERE)])];
  replaceAll(engine, [node('n1'), ...slices, ...objects]);
  engine.adopt({ elements: new Map(), chains: [] });
  engine.compile();
  book.update(engine.changes.take());
  return book.desired(hostAddresses);
}

function sliceOf(endpoints: readonly ApiObject[], protocol = 'TCP'): ApiObject {
  return slice('shop/web', { endpoints, ports: [{ name: '', protocol, port: 8080 }] });
}

function destinations({ frontends }: DesiredFrontends): string[] {
  return frontends.map(({ key }) => `${key.address} ${key.port} ${key.protocol}`).sort();
}

t.test('desired() lists node ports, external IPs and load balancer IPs, but not cluster IPs', async (t) => {
  const more = { spec: { externalIPs: ['192.0.2.7'] }, status: { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } } };
  const desired = desiredOf([service('shop/web', merge(LOCAL, more))]);
  t.strictSame(destinations(desired), ['192.0.2.1 30080 tcp', '192.0.2.7 80 tcp', '192.0.2.8 80 tcp']);
  t.strictSame(desired.frontends[0]?.endpoints, [{ address: '10.1.0.1', port: 8080 }]);
  t.strictSame(desired.skipped, []);
});

t.test('a frontend with an address takes precedence over a node port there', async (t) => {
  const claiming = service('shop/other', {
    spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.9'], externalIPs: ['192.0.2.1'], ports: [{ port: 30080 }] },
  });
  t.strictSame(destinations(desiredOf([service('shop/web', LOCAL)])), ['192.0.2.1 30080 tcp']);
  t.strictSame(destinations(desiredOf([service('shop/web', LOCAL), claiming])), []);
});

t.test('frontends with the Cluster policy or without local endpoints are not listed', async (t) => {
  for (const objects of [
    [service('shop/web', merge(LOCAL, { spec: { externalTrafficPolicy: 'Cluster' } }))],
    [service('shop/web', LOCAL), sliceOf([endpoint('10.1.0.1', { nodeName: 'n2' })])],
  ]) {
    const { frontends, skipped } = desiredOf(objects);
    t.strictSame({ frontends, skipped }, { frontends: [], skipped: [] });
  }
});

t.test('endpoints are repeated by weight', async (t) => {
  const weighted = merge(LOCAL, { metadata: { annotations: { 'nftlane.io/weights': '10.1.0.1=3' } } });
  const endpoints = ['10.1.0.1', '10.1.0.2'].map((address) => endpoint(address, HERE));
  const [frontend] = desiredOf([service('shop/web', weighted), sliceOf(endpoints)]).frontends;
  const addresses = frontend?.endpoints.map(({ address }) => address);
  t.strictSame(addresses, ['10.1.0.1', '10.1.0.1', '10.1.0.1', '10.1.0.2']);
});

t.test('frontends that need nftables are skipped with a reason', async (t) => {
  const many = Array.from({ length: 57 }, (_, i) => endpoint(`10.1.1.${i + 1}`, HERE));
  const vip = { status: { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } } };
  const cases: readonly { objects: readonly ApiObject[]; reason: RegExp; eligible?: number }[] = [
    { objects: [service('shop/web', merge(LOCAL, { spec: { sessionAffinity: 'ClientIP' } }))], reason: /affinity/ },
    {
      objects: [service('shop/web', merge(LOCAL, { metadata: { annotations: { 'nftlane.io/balance': 'maglev' } } }))],
      reason: /balance maglev/,
    },
    {
      objects: [
        service('shop/web', merge(LOCAL, { spec: { ports: [port('SCTP')] } })),
        sliceOf([endpoint('10.1.0.1', HERE)], 'SCTP'),
      ],
      reason: /SCTP/,
    },
    { objects: [service('shop/web', LOCAL), sliceOf(many)], reason: /57 weighted endpoints/ },
    {
      objects: [service('shop/web', LOCAL), sliceOf([endpoint('10.1.0.1', { ...HERE, ...DRAINING })])],
      reason: /terminating/,
    },
    {
      objects: [service('shop/web', merge(merge(LOCAL, vip), { spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } }))],
      reason: /source ranges/,
      eligible: 1,
    },
  ];
  for (const { objects, reason, eligible = 0 } of cases) {
    const desired = desiredOf(objects);
    t.equal(desired.frontends.length, eligible, String(reason));
    t.match(desired.skipped[0]?.reason, reason);
  }
});
