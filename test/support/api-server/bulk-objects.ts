// Large numbers of Services and EndpointSlices, for measurements.

import type { ApiServer } from './api-server.ts';
import type { ApiObject } from './protocol/collection.ts';

export const NAMESPACE = 'demo';
const NODES = 20;

/** The name of the Service with this number, from 1, and of its slice. */
export function serviceName(number: number): string {
  return `svc-${String(number).padStart(5, '0')}`;
}

interface Bulk {
  readonly endpoints: number;
  /** Every endpoint has a hint for its zone. */
  readonly hinted?: boolean;
}

/** Creates the ClusterIP Services 1 to `services`, each with one slice of ready endpoints. */
export function putBulk(
  server: Pick<ApiServer, 'put'>,
  { services, ...bulk }: Bulk & { readonly services: number },
): void {
  for (let number = 1; number <= services; number++) putService(server, { number, ...bulk });
}

export function putService(
  server: Pick<ApiServer, 'put'>,
  { number, endpoints, hinted = false }: Bulk & { readonly number: number },
): void {
  server.put('Service', service(number));
  const first = (number - 1) * endpoints;
  const list = Array.from({ length: endpoints }, (_, index) => {
    const plain = endpoint(first + index);
    return hinted ? { ...plain, hints: { forZones: [{ name: plain.zone }] } } : plain;
  });
  server.put('EndpointSlice', slice(serviceName(number), list));
}

function service(number: number): ApiObject {
  const name = serviceName(number);
  // 10.96.0.1 is the Service of the API server in clusters with this block.
  const clusterIP = address(10 * 2 ** 24 + 96 * 2 ** 16 + 1 + number);
  return {
    metadata: { name, namespace: NAMESPACE, labels: { app: name } },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      selector: { app: name },
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
}

/** The endpoint with this number; addresses wrap around at the end of 10.128.0.0/9. */
export function endpoint(number: number): { readonly zone: string; readonly [field: string]: unknown } {
  return {
    addresses: [address(10 * 2 ** 24 + 2 ** 23 + 1 + (number % (2 ** 23 - 2)))],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `n${1 + (number % NODES)}`,
    targetRef: { kind: 'Pod', namespace: NAMESPACE, name: `pod-${number}`, uid: `2f5b9a38-0000-4000-8000-${number}` },
    zone: zoneName(number),
  };
}

/** The zone of the endpoint or Node with this number, one of three. */
export function zoneName(number: number): string {
  return `zone-${1 + (number % 3)}`;
}

/** Creates the Node with this number in a zone. */
export function putNode(server: ApiServer, number: number, zone: string): void {
  server.put('Node', {
    metadata: { name: `n${number}`, labels: { 'topology.kubernetes.io/zone': zone } },
    status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${number}` }] },
  });
}

/** Has the current time as its last change trigger time, from which the latency can be measured. */
export function slice(name: string, endpoints: readonly unknown[]): ApiObject {
  const triggeredAt = new Date().toISOString();
  return {
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': name },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': triggeredAt },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints,
  };
}

function address(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}
