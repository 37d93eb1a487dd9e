// Tests of src/services/model/service-port.ts.

import t from 'tap';
import { modelService } from '../../../../src/services/model/service-port.ts';
import { readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

t.test('modelService() models each port in each family', async (t) => {
  const ports = [{ name: 'http', port: 80 }, { port: 443 }];
  const { value } = readService(service('shop/web', { spec: { ...clusterIps('10.96.0.1', 'fd00::1'), ports } }));
  const slices = [slice('shop/web', { addressType: 'IPv6', endpoints: [endpoint('fd00:1::1', { nodeName: 'n1' })] })];
  const read = slices.flatMap((object) => readEndpointSlice(object).value ?? []);
  t.not(value, undefined);
  if (value === undefined) return;
  const models = modelService(value, read.values(), { nodeName: 'n1', zone: undefined });
  const found = models.map(({ family, name, backends }) => `${family} ${name} ${backends.map((b) => b.name)}`);
  t.strictSame(found, ['ip shop/web:http ', 'ip shop/web ', 'ip6 shop/web:http ', 'ip6 shop/web [fd00:1::1]:8080']);
  t.match(models[3], {
    endpointUsage: { cluster: true, local: false },
    selection: { hasAnyEndpoints: true, cluster: [{ isLocal: true }] },
  });
  t.match(models[0], { selection: { hasAnyEndpoints: false, cluster: [] } });
});
