// Nodes, as read from the API.

import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Prefix } from '../../net/prefix.ts';
import {
  asArray,
  asObject,
  asString,
  IssueCollector,
  type ReadResult,
  readKey,
  readPrefixes,
  readUnnamed,
} from './read.ts';

export interface Node {
  /** Its name. */
  readonly key: string;
  /** The first InternalIP of each family, or else the first ExternalIP. */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>;
  /** The first podCIDR of each family. */
  readonly podCidrs: Readonly<Partial<Record<Family, Prefix>>>;
  /** `undefined` without a zone label. */
  readonly zone: string | undefined;
  /** It is being deleted, or the cluster autoscaler is about to remove it: it must not get new connections. */
  readonly toBeDeleted: boolean;
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** The cluster autoscaler adds it to a node before it drains and removes the node. */
const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler';

/** Reads a `v1 Node`. */
export function readNode(object: unknown): ReadResult<Node> {
  const { metadata: meta, spec, status } = asObject(object);
  const metadata = asObject(meta);
  const key = readKey(metadata, { namespaced: false });
  if (key === '') return readUnnamed('Node', metadata);
  const issues = new IssueCollector('Node', key);
  const zone = asObject(metadata['labels'])[ZONE_LABEL];
  const value: Node = {
    key,
    addresses: readAddresses(asObject(status)['addresses']),
    podCidrs: firstOfFamilies(readPrefixes(asObject(spec)['podCIDRs'], 'spec.podCIDRs', issues)),
    zone: typeof zone === 'string' ? zone : undefined,
    toBeDeleted:
      asString(metadata['deletionTimestamp']) !== '' || hasTaint(asObject(spec)['taints'], TO_BE_DELETED_TAINT),
  };
  return { key, value, issues: issues.all };
}

function readAddresses(value: unknown): Partial<Record<Family, Address>> {
  const addresses: Partial<Record<Family, Address>> = {};
  for (const type of ['InternalIP', 'ExternalIP']) {
    for (const entry of asArray(value)) {
      const address = asObject(entry)['type'] === type ? parseAddress(asString(asObject(entry)['address'])) : undefined;
      if (address !== undefined) addresses[familyOf(address)] ??= address;
    }
  }
  return addresses;
}

function hasTaint(taints: unknown, key: string): boolean {
  return asArray(taints).some((taint) => asObject(taint)['key'] === key);
}

function firstOfFamilies(prefixes: readonly Prefix[]): Partial<Record<Family, Prefix>> {
  const first: Partial<Record<Family, Prefix>> = {};
  for (const prefix of prefixes) first[prefix.family] ??= prefix;
  return first;
}
