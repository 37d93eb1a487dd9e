// The backends of a Service port, from its EndpointSlices.

import { compare } from '../../lib/compare.ts';
import { inSteps, runSteps, type Steps, sortSteps } from '../../lib/steps.ts';
import { printAddressPort } from '../../net/address-port.ts';
import type { Family } from '../../net/family.ts';
import type { EndpointSlice, SliceEndpoint } from '../objects/endpoint-slice.ts';
import type { ServicePort } from '../objects/service-ports.ts';

/** An endpoint at the port of a slice. */
export interface Backend extends Omit<SliceEndpoint, 'nodeName'> {
  readonly port: number;
  /** `address:port`, `[address]:port` for IPv6. Identifies the backend within its port. */
  readonly name: string;
  readonly nodeName: string;
  /** It runs on this node. */
  readonly isLocal: boolean;
}

/**
 * The backends of one port in one family, sorted by name. Slice ports match by name and protocol.
 * If slices list the same address and port, an endpoint that is not terminating takes precedence, then the last slice by
 * name, so that the result does not depend on the order of arrival.
 */
export function* backendSteps(
  slices: readonly EndpointSlice[],
  { port, family, nodeName }: { port: ServicePort; family: Family; nodeName: string },
): Steps<Backend[]> {
  const found = new Map<string, Backend>();
  const ordered = slices.length > 1 ? [...slices].sort((a, b) => compare(a.key, b.key)) : slices;
  for (const slice of ordered) {
    if (slice.family !== family) continue;
    for (const slicePort of slice.ports) {
      if (slicePort.name !== port.name || slicePort.protocol !== port.protocol) continue;
      yield* inSteps(slice.endpoints, (endpoint) => {
        add(found, toBackend(endpoint, slicePort.port, { family, nodeName }));
      });
      if (slices.length > 1) yield;
    }
  }
  return yield* sortSteps([...found.values()], (a, b) => compare(a.name, b.name));
}

/** The result of {@link backendSteps}, without interruption. */
export function backendsOf(...parameters: Parameters<typeof backendSteps>): Backend[] {
  return runSteps(backendSteps(...parameters));
}

function toBackend(endpoint: SliceEndpoint, port: number, at: { family: Family; nodeName: string }): Backend {
  const name = printAddressPort({ address: endpoint.address, port });
  const local = at.nodeName !== '' && endpoint.nodeName === at.nodeName;
  const { address, ready, serving, terminating, nodeName, zoneHints, nodeHints } = endpoint;
  return { address, ready, serving, terminating, nodeName, zoneHints, nodeHints, port, name, isLocal: local };
}

function add(found: Map<string, Backend>, backend: Backend): void {
  const known = found.get(backend.name);
  if (known === undefined || !backend.terminating || known.terminating) found.set(backend.name, backend);
}
