// Services as they were compiled, kept until the kernel holds them.

import type { Frontend } from '../services/model/frontends.ts';
import type { NodeTopology } from '../services/model/select-backends.ts';
import { modelService, type ServicePortModel } from '../services/model/service-port.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import type { Service } from '../services/objects/service.ts';

/** Models that are kept from the compilation to the commit: enough for everyday changes, not for all Services at once. */
const MAX_KEPT_MODELS = 1000;

/** The Services that were compiled since the last commit, each as it was compiled last. */
export class ServiceChanges {
  readonly #byKey = new Map<string, ServiceChange>();

  record(change: ServiceChange): void {
    this.#byKey.set(change.key, change);
    if (change.state === 'served' && this.#byKey.size <= MAX_KEPT_MODELS) change.keepModel();
  }

  list(): readonly ServiceChange[] {
    return [...this.#byKey.values()];
  }

  /** The same, once: to be called when the kernel holds them. */
  take(): readonly ServiceChange[] {
    const changes = this.list();
    this.#byKey.clear();
    return changes;
  }
}

/** What a compilation made of one Service. `key` is `namespace/name`. */
export type ServiceChange = ServedService | RefusedService | AbsentService;

/** The kernel refused its elements, so the kernel has none of it. */
export interface RefusedService {
  readonly state: 'refused';
  readonly key: string;
  readonly service: Service;
}

/** There is no such Service, or it is not proxied. */
export interface AbsentService {
  readonly state: 'absent';
  readonly key: string;
}

export interface ServedServiceParts {
  readonly service: Service;
  readonly slices: Iterable<EndpointSlice>;
  readonly node: NodeTopology;
  /** Whether the Service has this frontend, which several Services may claim. */
  readonly owns: (frontend: Frontend) => boolean;
}

/** A Service with elements. Its objects never change, so its model can be computed again instead of being kept. */
export class ServedService {
  readonly state = 'served';
  readonly key: string;
  readonly service: Service;
  /** Valid while the change is being handled: a later compilation may give the frontend to another Service. */
  readonly owns: (frontend: Frontend) => boolean;
  readonly #slices: readonly EndpointSlice[];
  readonly #node: NodeTopology;
  #ports: readonly ServicePortModel[] | undefined;

  constructor({ service, slices, node, owns }: ServedServiceParts) {
    this.key = service.key;
    this.service = service;
    this.owns = owns;
    this.#slices = [...slices];
    this.#node = node;
  }

  /** The model that its elements were made from. */
  get ports(): readonly ServicePortModel[] {
    return this.#ports ?? modelService(this.service, this.#slices, this.#node);
  }

  /** Computes the model once for all who read it. */
  keepModel(): void {
    this.#ports = this.ports;
  }
}
