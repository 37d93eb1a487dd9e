// A Node as this project sees it, and how it is read from the API's object.
import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { Findings, fields, list, type Read, readKey, readNameless, text } from './read.ts';

export interface Node {
  /** Its name. */
  readonly key: string;
  /** The first InternalIP of each family; the first ExternalIP where there is none. */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>;
  /** The first podCIDR of each family. */
  readonly podCidrs: Readonly<Partial<Record<Family, Prefix>>>;
  /** `undefined` when the Node has no zone label. */
  readonly zone: string | undefined;
  /** It is being deleted, or the cluster autoscaler is about to remove it: nothing new should be sent to it. */
  readonly leaving: boolean;
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** The cluster autoscaler's mark on a node that it drains to remove it. */
const LEAVING_TAINT = 'ToBeDeletedByClusterAutoscaler';

/** Reads a `v1 Node`. */
export function readNode(object: unknown): Read<Node> {
  const { metadata: meta, spec, status } = fields(object);
  const metadata = fields(meta);
  const key = readKey(metadata, { namespaced: false });
  if (key === '') return readNameless('Node', metadata);
  const findings = new Findings('Node', key);
  const zone = fields(metadata['labels'])[ZONE_LABEL];
  const value: Node = {
    key,
    addresses: readAddresses(fields(status)['addresses']),
    podCidrs: readPodCidrs(list(fields(spec)['podCIDRs']), findings),
    zone: typeof zone === 'string' ? zone : undefined,
    leaving: text(metadata['deletionTimestamp']) !== '' || hasTaint(fields(spec)['taints'], LEAVING_TAINT),
  };
  return { key, value, findings: findings.all };
}

function readAddresses(value: unknown): Partial<Record<Family, Address>> {
  const addresses: Partial<Record<Family, Address>> = {};
  for (const type of ['InternalIP', 'ExternalIP']) {
    for (const entry of list(value)) {
      const address = fields(entry)['type'] === type ? parseAddress(text(fields(entry)['address'])) : undefined;
      if (address !== undefined) addresses[familyOf(address)] ??= address;
    }
  }
  return addresses;
}

function hasTaint(taints: unknown, key: string): boolean {
  return list(taints).some((taint) => fields(taint)['key'] === key);
}

function readPodCidrs(cidrs: readonly unknown[], findings: Findings): Partial<Record<Family, Prefix>> {
  const podCidrs: Partial<Record<Family, Prefix>> = {};
  for (const [index, cidr] of cidrs.entries()) {
    const prefix = parsePrefix(text(cidr));
    if (prefix === undefined) findings.add(`spec.podCIDRs[${index}]`, cidr, 'is not a CIDR block', 'it is left out');
    else podCidrs[prefix.family] ??= prefix;
  }
  return podCidrs;
}
