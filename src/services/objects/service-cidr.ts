// ServiceCIDRs: the blocks of cluster IPs.

import type { Prefix } from '../../net/prefix.ts';
import { asObject, IssueCollector, type ReadResult, readKey, readPrefixes, readUnnamed } from './read.ts';

export interface ServiceCidr {
  /** Its name. */
  readonly key: string;
  readonly cidrs: readonly Prefix[];
}

/** Reads a `networking.k8s.io/v1 ServiceCIDR`. */
export function readServiceCidr(object: unknown): ReadResult<ServiceCidr> {
  const { metadata: meta, spec } = asObject(object);
  const metadata = asObject(meta);
  const key = readKey(metadata, { namespaced: false });
  if (key === '') return readUnnamed('ServiceCIDR', metadata);
  const issues = new IssueCollector('ServiceCIDR', key);
  const cidrs = readPrefixes(asObject(spec)['cidrs'], 'spec.cidrs', issues);
  return { key, value: { key, cidrs }, issues: issues.all };
}
