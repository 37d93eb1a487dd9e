// The kinds of object that are watched, and what each of them is on the API.
import { type EndpointSlice, HEADLESS_LABEL, readEndpointSlice } from './endpoint-slice.ts';
import { type Node, readNode } from './node.ts';
import type { ReadResult } from './read.ts';
import { PROXY_NAME_LABEL, readService, type Service } from './service.ts';
import { readServiceCidr, type ServiceCidr } from './service-cidr.ts';

/** What each kind is read into. */
export interface KindMap {
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Node: Node;
  readonly ServiceCIDR: ServiceCidr;
}

export type Kind = keyof KindMap;
export type ObjectOf = { readonly [K in Kind]: KindMap[K] }[Kind];

/** A kind on the API server: where it is and which of its objects are ours (the selectors run on the server). */
export interface KindTraits<K extends Kind> {
  readonly kind: K;
  readonly apiVersion: string;
  /** Path of the collection, all namespaces. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly read: (object: unknown) => ReadResult<KindMap[K]>;
}

/** Every kind that is watched. */
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

/** The kind of a manifest; `undefined` when it is none that this project reads. */
export function kindOf(apiVersion: unknown, kind: unknown): Kind | undefined {
  return Object.values(KINDS).find((traits) => traits.kind === kind && traits.apiVersion === apiVersion)?.kind;
}
