// The model of a Service on this node: each port in each family.

import { runSteps, type Steps } from '../../lib/steps.ts';
import type { Family } from '../../net/family.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import type { ServicePort } from '../objects/service-ports.ts';
import { type Backend, backendSteps } from './backends.ts';
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
export function* modelSteps(
  service: Service,
  slices: Iterable<EndpointSlice>,
  node: NodeTopology,
): Steps<ServicePortModel[]> {
  const sliceList = [...slices];
  const models: ServicePortModel[] = [];
  for (const family of service.families) {
    for (const port of service.ports) {
      const frontends = frontendsOf(service, { port, family });
      const usage = endpointUsage(frontends, service);
      const backends = yield* backendSteps(sliceList, { port, family, nodeName: node.nodeName });
      const name = port.name === '' ? service.key : `${service.key}:${port.name}`;
      const selection = selectBackends(backends, { usage, node });
      models.push({ family, port, name, frontends, backends, endpointUsage: usage, selection });
      if (service.ports.length > 1) yield;
    }
  }
  return models;
}

/** The result of {@link modelSteps}, without interruption. */
export function modelService(...parameters: Parameters<typeof modelSteps>): ServicePortModel[] {
  return runSteps(modelSteps(...parameters));
}
