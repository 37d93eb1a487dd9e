// The model of a Service on this node: each port in each family.

import type { Family } from '../../net/family.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import { familiesOf } from '../objects/service.ts';
import type { ServicePort } from '../objects/service-ports.ts';
import { type Backend, backendsOf } from './backends.ts';
import { endpointUsage, type Frontend, frontendsOf } from './frontends.ts';
import { type EndpointUsage, type NodeTopology, type Selection, selectBackends } from './select-backends.ts';

export interface ServicePortModel {
  readonly family: Family;
  readonly port: ServicePort;
  /** `namespace/name:port`, or `namespace/name` for a port without a name. */
  readonly name: string;
  readonly frontends: readonly Frontend[];
  readonly backends: readonly Backend[];
  readonly endpointUsage: EndpointUsage;
  readonly selection: Selection;
}

/** The models of all ports of a Service, in each of its families. */
export function modelService(
  service: Service,
  slices: Iterable<EndpointSlice>,
  node: NodeTopology,
): ServicePortModel[] {
  const sliceList = [...slices];
  return familiesOf(service).flatMap((family) =>
    service.ports.map((port) => {
      const frontends = frontendsOf(service, { port, family });
      const usage = endpointUsage(frontends, service);
      const backends = backendsOf(sliceList, { port, family, nodeName: node.nodeName });
      const name = port.name === '' ? service.key : `${service.key}:${port.name}`;
      return {
        family,
        port,
        name,
        frontends,
        backends,
        endpointUsage: usage,
        selection: selectBackends(backends, { usage, node }),
      };
    }),
  );
}
