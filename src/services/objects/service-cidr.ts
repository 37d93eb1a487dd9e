// ServiceCIDRs: the blocks of cluster IPs.
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { asArray, asObject, asString, IssueCollector, type ReadResult, readKey, readUnnamed } from './read.ts';

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
  const cidrs: Prefix[] = [];
  for (const [index, cidr] of asArray(asObject(spec)['cidrs']).entries()) {
    const prefix = parsePrefix(asString(cidr));
    if (prefix === undefined)
      issues.add({
        field: `spec.cidrs[${index}]`,
        value: cidr,
        reason: 'is not a CIDR block',
        effect: 'ignoring this block',
      });
    else cidrs.push(prefix);
  }
  return { key, value: { key, cidrs }, issues: issues.all };
}
