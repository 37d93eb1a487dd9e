// A minimal EndpointSlice, and endpoints for it.

import { type ApiObject, merge } from '../deployment/merge.ts';

/** The slice `NAME-1` of the Service `namespace/name`, with port 8080 and one ready endpoint at 10.1.0.1. */
export function slice(service = 'shop/web', overrides: ApiObject = {}): ApiObject {
  const [namespace, name] = service.split('/');
  const base = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [endpoint('10.1.0.1')],
  };
  return merge(base, overrides);
}

/** A ready endpoint on no known node. */
export function endpoint(address: string, overrides: ApiObject = {}): ApiObject {
  return merge({ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }, overrides);
}

export const UNREADY = { conditions: { ready: false, serving: false } };
export const DRAINING = { conditions: { ready: false, terminating: true } };
