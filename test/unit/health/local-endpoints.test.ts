// Tests of src/health/local-endpoints.ts.

import t from 'tap';
import { ServedService } from '../../../src/engine/service-change.ts';
import { countLocalEndpoints } from '../../../src/health/local-endpoints.ts';
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { DRAINING, endpoint, slice, UNREADY } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

const HERE = { nodeName: 'n1' };
const PORTS = [
  { name: 'http', port: 80 },
  { name: 'https', port: 443 },
];
const SLICE_PORTS = [
  { name: 'http', port: 8080, protocol: 'TCP' },
  { name: 'https', port: 8443, protocol: 'TCP' },
];

function count(given: ApiObject, ...slices: readonly ApiObject[]) {
  const { value } = readService(given);
  if (value === undefined) throw new Error('Cannot read Service');
  const read = slices.flatMap((object) => readEndpointSlice(object).value ?? []);
  return Object.fromEntries(
    countLocalEndpoints(
      new ServedService({ service: value, slices: read, node: { nodeName: 'n1', zone: undefined }, owns: () => true }),
    ),
  );
}

function endpoints(...list: readonly ApiObject[]): ApiObject {
  return slice('shop/web', { ports: SLICE_PORTS, endpoints: list });
}

const WEB = service('shop/web', { spec: { ports: PORTS } });

t.test('countLocalEndpoints() counts each ready address of this node once', async (t) => {
  t.strictSame(count(WEB), { ip: 0 });
  const list = [
    endpoint('10.1.0.1', HERE),
    endpoint('10.1.0.2', HERE),
    endpoint('10.1.0.3', { nodeName: 'n2' }),
    endpoint('10.1.0.4'),
  ];
  t.strictSame(count(WEB, endpoints(...list)), { ip: 2 }, 'each has two ports');
});

t.test('countLocalEndpoints() excludes terminating and unready endpoints', async (t) => {
  const draining = endpoint('10.1.0.1', { ...HERE, ...DRAINING });
  t.strictSame(count(WEB, endpoints(draining, endpoint('10.1.0.2', { ...HERE, ...UNREADY }))), { ip: 0 });
  const published = endpoint('10.1.0.1', { ...HERE, conditions: { ready: true, terminating: true } });
  t.strictSame(count(WEB, endpoints(published)), { ip: 1 }, 'publishNotReadyAddresses is set');
});

t.test('countLocalEndpoints() counts the endpoints of any port, by family', async (t) => {
  const dual = service('shop/web', { spec: { ...clusterIps('10.96.0.1', 'fd00::1'), ports: PORTS } });
  const one = slice('shop/web', { ports: SLICE_PORTS.slice(1), endpoints: [endpoint('10.1.0.1', HERE)] });
  const other = slice('shop/web', {
    metadata: { name: 'web-2' },
    ports: [{ name: 'metrics', port: 9, protocol: 'TCP' }],
    endpoints: [endpoint('10.1.0.2', HERE)],
  });
  const six = slice('shop/web', {
    metadata: { name: 'web-6' },
    addressType: 'IPv6',
    ports: SLICE_PORTS,
    endpoints: [endpoint('fd01::1', HERE), endpoint('fd01::2', HERE)],
  });
  t.strictSame(count(dual, one, other, six), { ip: 1, ip6: 2 });
  t.strictSame(count(dual, six), { ip: 0, ip6: 2 });
  t.strictSame(count(WEB, one, six), { ip: 1 });
});

t.test('countLocalEndpoints() is 0 for a Service that the kernel refused', async (t) => {
  const { value } = readService(service('shop/web', { spec: clusterIps('10.96.0.1', 'fd00::1') }));
  if (value === undefined) throw new Error('Cannot read Service');
  const counts = countLocalEndpoints({ state: 'refused', key: value.key, service: value });
  t.strictSame(Object.fromEntries(counts), { ip: 0, ip6: 0 });
});
