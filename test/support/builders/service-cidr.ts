// A minimal ServiceCIDR.

import { type ApiObject, merge } from '../deployment/merge.ts';

/** The ServiceCIDR `kubernetes`, 10.96.0.0/12. */
export function serviceCidr(name = 'kubernetes', overrides: ApiObject = {}): ApiObject {
  const base = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs: ['10.96.0.0/12'] },
  };
  return merge(base, overrides);
}
