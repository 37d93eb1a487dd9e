// A minimal Node.

import { type ApiObject, merge } from '../deployment/merge.ts';

/** The Node `n1` at 192.0.2.1, in no zone. */
export function node(name = 'n1', overrides: ApiObject = {}): ApiObject {
  const base = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
  };
  return merge(base, overrides);
}

/** The metadata of a Node in a zone. */
export function inZone(zone: string): ApiObject {
  return { metadata: { labels: { 'topology.kubernetes.io/zone': zone } } };
}
