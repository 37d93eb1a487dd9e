// Everything that is watched on an API server, as one source of objects.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { KINDS, type Kind } from '../../services/objects/kinds.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { ApiClient } from './client/api-client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { ReflectorState } from './reflector-state.ts';

export interface ClusterSourceSetup {
  readonly client: ApiClient;
  /** Name of the Node that this process runs on: the only one that is watched. */
  readonly nodeName: string;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  readonly options?: Omit<ReflectorOptions, 'absentRetryMs'>;
}

/** ServiceCIDR is new in 1.33 (KEP-1880); a server gets it by an upgrade only, which is not worth many questions. */
const NOT_FOUND_RETRY_MS = 300_000;

/** Services, EndpointSlices, ServiceCIDRs and the own Node of a cluster. */
export class ClusterSource {
  readonly #reflectors: readonly Pick<Reflector<Kind>, 'run' | 'state'>[];

  constructor({ nodeName, options = {}, ...common }: ClusterSourceSetup) {
    const ownNode = { ...KINDS.Node, fieldSelector: `metadata.name=${nodeName}` };
    const serviceCidrOptions = { ...options, notFoundRetryMs: NOT_FOUND_RETRY_MS };
    this.#reflectors = [
      new Reflector({ ...common, traits: KINDS.Service, options }),
      new Reflector({ ...common, traits: KINDS.EndpointSlice, options }),
      new Reflector({ ...common, traits: ownNode, options }),
      new Reflector({ ...common, traits: KINDS.ServiceCIDR, options: serviceCidrOptions }),
    ];
  }

  /** One state for each kind. */
  states(): ReflectorState[] {
    return this.#reflectors.map((reflector) => reflector.state());
  }

  /** Delivers to the sink until the signal aborts, and then resolves. Rejects only with what the sink throws. */
  async run(signal: AbortSignal): Promise<void> {
    const controller = new AbortController();
    const stop = () => controller.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const runs = this.#reflectors.map((reflector) => reflector.run(controller.signal));
    try {
      await Promise.all(runs);
    } finally {
      // When one has failed the others do not go on behind the caller's back.
      stop();
      signal.removeEventListener('abort', stop);
      await Promise.allSettled(runs);
    }
  }
}
