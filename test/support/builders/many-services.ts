// Any number of Services with three endpoints each.

import type { ApiObject } from '../deployment/merge.ts';
import { clusterIps, service } from './service.ts';
import { endpoint, slice } from './slice.ts';

/** `count` Services with an EndpointSlice each, at addresses that differ; at most 65,536. */
export function manyServices(count: number): ApiObject[] {
  return Array.from({ length: count }, (_, index) => {
    const [high, low] = [index >> 8, index & 255];
    const name = `a/s${index}`;
    const endpoints = [1, 2, 3].map((host) => endpoint(`10.${host}.${high}.${low}`));
    return [service(name, { spec: clusterIps(`10.96.${high}.${low}`) }), slice(name, { endpoints })];
  }).flat();
}
