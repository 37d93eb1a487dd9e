// Tests of src/inspect/service-view.ts and print-services.ts.

import t from 'tap';
import { printServices } from '../../../src/inspect/print-services.ts';
import { viewServices, viewSkippedServices } from '../../../src/inspect/service-view.ts';
import type { CounterListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice, UNREADY } from '../../support/builders/slice.ts';

const annotations = { 'nftlane.io/weights': '10.1.0.3=0' };
const endpoints = [endpoint('10.1.0.1'), endpoint('10.1.0.2', UNREADY), endpoint('10.1.0.3')];

t.test('an endpoint missing in the kernel is shown as missing, not as unused', async (t) => {
  const engine = engineOf([service('shop/web', { metadata: { annotations } }), slice('shop/web', { endpoints })]);
  const nothingLoaded = printServices(viewServices(engine, new Map()));
  t.match(nothingLoaded, /10\.1\.0\.1:8080 .* missing in kernel: ready$/m);
  t.match(nothingLoaded, /10\.1\.0\.2:8080 .* unused: not ready$/m);
  t.match(nothingLoaded, /10\.1\.0\.3:8080 .* unused: ready, but its weight is 0$/m);
  const counted: CounterListing = new Map([
    ['ip endpoints', [{ key: '10.96.0.1 . tcp . 80 . 0', data: '10.1.0.1 . 8080', comment: '', packets: 7 }]],
  ]);
  t.match(printServices(viewServices(engine, counted)), /10\.1\.0\.1:8080 +- +0 +100\.0% +7 +used: ready$/m);
});

t.test('a Service that lost a frontend names the owner, whatever decided the conflict', async (t) => {
  const newer = { metadata: { creationTimestamp: '2025-02-02T00:00:00Z' } };
  const engine = engineOf([service('shop/web'), service('shop/again', newer)]);
  const [again] = viewServices(engine, new Map(), 'shop/again');
  t.equal(again?.ports[0]?.frontends[0]?.destination, 'none: the frontend belongs to shop/web');
});

t.test('a frontend without endpoints is not called refused if its cluster IP is in use otherwise', async (t) => {
  const destinations = (...objects: Parameters<typeof engineOf>) =>
    viewServices(engineOf(...objects), new Map(), 'shop/web').flatMap(({ ports }) =>
      ports.flatMap(({ frontends }) => frontends.map(({ destination }) => destination)),
    );
  const spec = { internalTrafficPolicy: 'Local', externalIPs: ['198.51.100.1'] };
  const pod = slice('shop/other', { endpoints: [endpoint('10.96.0.1')] });
  const refused = /^refused: no endpoints, because no usable EndpointSlice has the label/;
  const notRefused = 'not refused without endpoints: the address is in use otherwise';
  t.match(destinations([service('shop/web', { spec })]), [refused, refused]);
  t.match(destinations([service('shop/web', { spec }), pod]), [notRefused, refused]);
  t.strictSame(destinations([service('shop/web', { spec }), pod, slice('shop/web')]), [notRefused, '1 endpoint']);
  t.strictSame(destinations([service('shop/web'), pod, slice('shop/web')]), ['1 endpoint']);
});

t.test('a Service without a cluster IP is shown with the effect', async (t) => {
  const withoutIp = (spec: object) => {
    const absent = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: ['IPv4'] };
    return viewServices(engineOf([service('shop/web', { spec: { ...absent, ...spec } })]), new Map())[0];
  };
  const nodePort = withoutIp({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
  const served = 'no IPv4 cluster IP: an API server would assign it; served at its node ports and other addresses';
  t.match(nodePort, { withoutClusterIp: served, ports: [{ frontends: [{ address: '*:30080' }] }] });
  const nothing = 'no IPv4 cluster IP: an API server would assign it; nothing is served there';
  t.match(withoutIp({}), { withoutClusterIp: nothing, ports: [{ frontends: [] }] });
  t.notMatch(printServices([withoutIp({})].flatMap((view) => view ?? [])), /FRONTEND/);
  const one = withoutIp({ clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv4', 'IPv6'] });
  t.match(one, { withoutClusterIp: 'no IPv6 cluster IP: an API server would assign it; nothing is served there' });
  t.equal(withoutIp({ clusterIP: '10.96.0.1' })?.withoutClusterIp, undefined);
});

t.test('Services that are not proxied are listed with the reason', async (t) => {
  const spec = { type: 'ExternalName', clusterIP: undefined, clusterIPs: undefined };
  const engine = engineOf([service('shop/z', { spec }), service('shop/data', { spec: { clusterIP: 'None' } })]);
  const skipped = viewSkippedServices(engine);
  t.match(skipped, [
    { service: 'shop/data', reason: /^it is headless/ },
    { service: 'shop/z', reason: /^it is of type ExternalName/ },
  ]);
  t.match(
    printServices([], skipped),
    /^shop\/data {2}not proxied: it is headless .*\nshop\/z {2}not proxied: it is of type/,
  );
  t.strictSame(
    viewSkippedServices(engine, 'shop/z').map(({ service: key }) => key),
    ['shop/z'],
  );
});
