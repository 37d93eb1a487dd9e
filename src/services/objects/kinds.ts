// The kinds of objects that nftlane watches.

import { type EndpointSlice, HEADLESS_LABEL, isUnsupportedSlice, readEndpointSlice } from './endpoint-slice.ts';
import { type Node, readNode } from './node.ts';
import type { ReadResult } from './read.ts';
import { PROXY_NAME_LABEL, readService, type Service } from './service.ts';
import { readServiceCidr, type ServiceCidr } from './service-cidr.ts';

/** The type of each kind. */
export interface KindMap {
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Node: Node;
  readonly ServiceCIDR: ServiceCidr;
}

export type Kind = keyof KindMap;
export type ObjectOf = { readonly [K in Kind]: KindMap[K] }[Kind];

/** How to list and watch a kind. The API server applies the selectors. */
export interface KindTraits<K extends Kind> {
  readonly kind: K;
  readonly apiVersion: string;
  /** The path of the collection in all namespaces. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly read: (object: unknown) => ReadResult<KindMap[K]>;
}

export const KINDS: { readonly [K in Kind]: KindTraits<K> } = {
  Service: {
    kind: 'Service',
    apiVersion: 'v1',
    path: '/api/v1/services',
    labelSelector: `!${PROXY_NAME_LABEL}`,
    fieldSelector: 'spec.clusterIP!=None',
    read: readService,
  },
  EndpointSlice: {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    labelSelector: `!${HEADLESS_LABEL}`,
    read: readEndpointSlice,
  },
  Node: { kind: 'Node', apiVersion: 'v1', path: '/api/v1/nodes', read: readNode },
  ServiceCIDR: {
    kind: 'ServiceCIDR',
    apiVersion: 'networking.k8s.io/v1',
    path: '/apis/networking.k8s.io/v1/servicecidrs',
    read: readServiceCidr,
  },
};

/**
 * The kind of a manifest; `undefined` for kinds that nftlane does not use. What may be meant for an EndpointSlice counts as one,
 * to be reported if a Service misses it.
 */
export function kindOf(apiVersion: unknown, kind: unknown): Kind | undefined {
  if (isUnsupportedSlice({ apiVersion, kind })) return 'EndpointSlice';
  return Object.values(KINDS).find((traits) => traits.kind === kind && traits.apiVersion === apiVersion)?.kind;
}

/** The types of the items of a list, if it names one. */
export interface ListedKind {
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** The kind of the items of a list, such as `ServiceList`; empty for `List`, and `undefined` for other kinds. */
export function listedKindOf(apiVersion: unknown, kind: unknown): ListedKind | undefined {
  if (apiVersion === 'v1' && kind === 'List') return {};
  const traits = Object.values(KINDS).find((known) => `${known.kind}List` === kind && known.apiVersion === apiVersion);
  return traits && { apiVersion: traits.apiVersion, kind: traits.kind };
}
