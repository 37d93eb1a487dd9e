// The Services that were compiled since the last commit.

import type { Steps } from '../lib/steps.ts';
import type { Frontend } from '../services/model/frontends.ts';
import type { NodeTopology } from '../services/model/select-backends.ts';
import { modelService, modelSteps, type ServicePortModel } from '../services/model/service-port.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import type { Service } from '../services/objects/service.ts';

/**
 * Models that are kept until the commit: enough for usual changes. Keeping 1000 raises the peak of an initial load of
 * 10,000 Services from 310 to 330 MB.
 */
const MAX_KEPT_MODELS = 100;

/** The last compilation of each Service since the last commit. */
export class ServiceChanges {
  readonly #byKey = new Map<string, ServiceChange>();

  record(change: ServiceChange): void {
    this.#byKey.set(change.key, change);
    if (change.state === 'served' && this.#byKey.size > MAX_KEPT_MODELS) change.releaseModel();
  }

  list(): readonly ServiceChange[] {
    return [...this.#byKey.values()];
  }

  /** Returns the changes and forgets them. To be called after the commit. */
  take(): readonly ServiceChange[] {
    const changes = this.list();
    this.#byKey.clear();
    return changes;
  }
}

/** The result of compiling a Service. `key` is `namespace/name`. */
export type ServiceChange = ServedService | RefusedService | AbsentService;

/** A Service that the kernel refused, and the reason. It is tried again when it, or its endpoints, change. */
export interface Refusal {
  readonly service: string;
  readonly reason: string;
}

/** The kernel refused the Service, so it has none of its elements. */
export interface RefusedService {
  readonly state: 'refused';
  readonly key: string;
  readonly service: Service;
}

/** The Service does not exist, or is not proxied. */
interface AbsentService {
  readonly state: 'absent';
  readonly key: string;
}

interface ServedServiceInput {
  readonly service: Service;
  readonly slices: Iterable<EndpointSlice>;
  readonly node: NodeTopology;
  /** Whether the Service owns this frontend, which others may claim, too. */
  readonly owns: (frontend: Frontend) => boolean;
}

/** A Service with elements. Its objects are immutable, so its model can be recomputed instead of kept. */
export class ServedService {
  readonly state = 'served';
  readonly key: string;
  readonly service: Service;
  /** Valid until the next compilation, which may give the frontend to another Service. */
  readonly owns: (frontend: Frontend) => boolean;
  readonly #slices: readonly EndpointSlice[];
  readonly #node: NodeTopology;
  #ports: readonly ServicePortModel[] | undefined;

  constructor({ service, slices, node, owns }: ServedServiceInput) {
    this.key = service.key;
    this.service = service;
    this.owns = owns;
    this.#slices = [...slices];
    this.#node = node;
  }

  /** The model that the elements were compiled from. */
  get ports(): readonly ServicePortModel[] {
    return this.#ports ?? modelService(this.service, this.#slices, this.#node);
  }

  /** Computes the model once for all later reads. */
  *keepModel(): Steps<void> {
    this.#ports ??= yield* modelSteps(this.service, this.#slices, this.#node);
  }

  /** Lets later reads compute the model again. */
  releaseModel(): void {
    this.#ports = undefined;
  }
}
