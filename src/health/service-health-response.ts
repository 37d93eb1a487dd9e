// The response of a health check node port, in the format of kube-proxy.

import type { HttpResponse } from '../host/network/http-server.ts';

interface ServiceHealthState {
  /** `namespace/name`. */
  readonly service: string;
  /** Ready endpoints on this node. */
  readonly localEndpoints: number;
  readonly serviceProxyHealthy: boolean;
}

/** For any path: 200 if this node can receive traffic for the Service, with its weight; 503 otherwise. */
export function serviceHealthResponse({
  service,
  localEndpoints,
  serviceProxyHealthy,
}: ServiceHealthState): HttpResponse {
  const [namespace, name] = service.split('/');
  const headers = {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
  };
  const body = JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, '\t');
  return { status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, headers, body };
}
