// Reads Services with the given fields.

import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

/** Issues are printed as `field value: effect`. */
export function read(spec: ApiObject, status: ApiObject = {}): { value: Service; issues: string[] } {
  const { value, issues } = readService(service('shop/web', { spec, status }));
  if (value === undefined) throw new Error('The Service is proxied');
  return { value, issues: issues.map(({ field, value, effect }) => `${field} ${value}: ${effect}`) };
}

export function annotated(annotations: ApiObject): { value: Service | undefined; issues: string[] } {
  const { value, issues } = readService(service('shop/web', { metadata: { annotations } }));
  return { value, issues: issues.map(({ field, value, effect }) => `${field} ${value}: ${effect}`) };
}
