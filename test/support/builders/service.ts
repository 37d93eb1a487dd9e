// A minimal Service.

import { familyOf } from '../../../src/net/address.ts';
import { FAMILY_TRAITS } from '../../../src/net/family.ts';
import { type ApiObject, merge } from '../deployment/merge.ts';

/** A Service of type ClusterIP at 10.96.0.1:80. `name` is `namespace/name`. */
export function service(name = 'shop/web', overrides: ApiObject = {}): ApiObject {
  const [namespace, bareName] = name.split('/');
  const base = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: bareName, creationTimestamp: '2025-01-01T00:00:00Z' },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1'],
      ipFamilies: ['IPv4'],
      ports: [{ port: 80, protocol: 'TCP' }],
    },
  };
  return merge(base, overrides);
}

/** The `spec` fields of a Service with these cluster IPs. */
export function clusterIps(...addresses: readonly string[]): ApiObject {
  const ipFamilies = addresses.map((address) => FAMILY_TRAITS[familyOf(address)].label);
  return { clusterIP: addresses[0], clusterIPs: addresses, ipFamilies };
}
