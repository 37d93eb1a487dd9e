// A ServiceCIDR: a block that cluster IPs are taken from.
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { Findings, fields, list, type Read, readKey, readNameless, text } from './read.ts';

export interface ServiceCidr {
  /** Its name. */
  readonly key: string;
  readonly cidrs: readonly Prefix[];
}

/** Reads a `networking.k8s.io/v1 ServiceCIDR`. */
export function readServiceCidr(object: unknown): Read<ServiceCidr> {
  const { metadata: meta, spec } = fields(object);
  const metadata = fields(meta);
  const key = readKey(metadata, { namespaced: false });
  if (key === '') return readNameless('ServiceCIDR', metadata);
  const findings = new Findings('ServiceCIDR', key);
  const cidrs: Prefix[] = [];
  for (const [index, cidr] of list(fields(spec)['cidrs']).entries()) {
    const prefix = parsePrefix(text(cidr));
    if (prefix === undefined) findings.add(`spec.cidrs[${index}]`, cidr, 'is not a CIDR block', 'it is left out');
    else cidrs.push(prefix);
  }
  return { key, value: { key, cidrs }, findings: findings.all };
}
