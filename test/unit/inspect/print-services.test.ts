// Tests of src/inspect/print-services.ts.

import t from 'tap';
import { printServices } from '../../../src/inspect/print-services.ts';
import { viewServices } from '../../../src/inspect/service-view.ts';
import type { CounterListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

const LOCAL = { nodeName: 'n1' };
const REMOTE = { nodeName: 'n2' };

function printed(objects: Parameters<typeof engineOf>[0], listed: CounterListing = new Map()): string {
  return printServices(viewServices(engineOf(objects), listed));
}

t.test('printServices() prints the frontends and endpoints of each port', async (t) => {
  const slot = (number: number, address: string, packets: number) => ({
    ...{ key: `10.96.0.1 . tcp . 80 . ${number}`, data: `${address} . 8080`, comment: '', packets },
  });
  const endpoints = [endpoint('10.1.0.1', LOCAL), endpoint('10.1.0.2', REMOTE)];
  const web = service('shop/web', { spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } });
  const ports = [{ name: 'http', protocol: 'TCP', port: 8080 }];
  const listed: CounterListing = new Map([['ip endpoints', [slot(0, '10.1.0.1', 3), slot(1, '10.1.0.2', 2)]]]);
  t.equal(
    printed([web, slice('shop/web', { ports, endpoints })], listed),
    [
      'shop/web  ClusterIP',
      '  port http 80/tcp IPv4',
      '    FRONTEND      KIND        POLICY   CONNECTIONS  DESTINATION',
      '    10.96.0.1:80  cluster-ip  Cluster            5  2 endpoints',
      '    ENDPOINT       NODE  SLOT  SHARE  CONNECTIONS  STATE',
      '    10.1.0.1:8080  n1    0     50.0%            3  used: ready',
      '    10.1.0.2:8080  n2    1     50.0%            2  used: ready',
    ].join('\n'),
  );
});

t.test('printServices() names every slice that has an endpoint', async (t) => {
  const named = (name: string, fields: object) =>
    slice('shop/web', { metadata: { name }, endpoints: [endpoint('10.1.0.1', { ...REMOTE, ...fields })] });
  const objects = [named('web-a', {}), named('web-b', { conditions: { ready: false, serving: false } })];
  t.match(
    printed([service('shop/web'), ...objects])
      .split('\n')
      .slice(-3),
    [
      /^ +10\.1\.0\.1:8080 +n2 .* missing in kernel: ready$/,
      /^ +EndpointSlice shop\/web-a: ready on node n2$/,
      /^ +EndpointSlice shop\/web-b: not ready on node n2$/,
    ],
  );
  const many = Array.from({ length: 12 }, (_, index) => named(`web-${index}`, {}));
  t.match(printed([service('shop/web'), ...many]), /and 2 more entries$/);
});

t.test('printServices() prints the destination of frontends with the Local policy', async (t) => {
  const spec = {
    ...{ type: 'NodePort', externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }],
  };
  const local = printed([
    service('shop/web', { spec }),
    slice('shop/web', { endpoints: [endpoint('10.1.0.1', LOCAL), endpoint('10.1.0.2', REMOTE)] }),
  ]);
  t.match(local, /10\.96\.0\.1:80 +cluster-ip +Local +0 +1 endpoint on this node$/m);
  t.match(local, /\*:30080 +node-port +Local +0 +1 endpoint on this node; from pods and this node: 2 endpoints$/m);
  const remote = printed([
    service('shop/web', { spec }),
    slice('shop/web', { endpoints: [endpoint('10.1.0.2', REMOTE)] }),
  ]);
  t.match(remote, /cluster-ip +Local +0 +dropped: no endpoints on this node$/m);
  t.match(remote, /node-port .* dropped: no endpoints on this node; from pods and this node: 1 endpoint$/m);
});

t.test('printServices() prints topology, missing ports and endpoints, and refusals', async (t) => {
  t.match(
    printed([service('shop/web')]),
    /10\.96\.0\.1:80 .* refused: no endpoints, because no usable EndpointSlice has the label .*=web: /m,
  );
  t.equal(
    printed([service('shop/none', { spec: { ports: [{ port: 0 }] } })]),
    'shop/none  ClusterIP\n  no usable ports',
  );
  const hinted = endpoint('10.1.0.1', { ...LOCAL, hints: { forNodes: [{ name: 'n1' }] } });
  t.match(
    printed([service('shop/web'), slice('shop/web', { endpoints: [hinted] })]),
    /^ {2}port 80\/tcp IPv4, only endpoints for the same node$/m,
  );
  const engine = engineOf([service('shop/web')]);
  engine.refuse({ service: 'shop/web', reason: 'Invalid argument' });
  t.match(printServices(viewServices(engine, new Map())), /^ {2}refused by the kernel: Invalid argument$/m);
});
