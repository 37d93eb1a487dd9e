// The API server as a source of objects.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { KINDS, type Kind } from '../../services/objects/kinds.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { ApiClient } from './client/api-client.ts';
import { Reflector, type ReflectorLimits } from './reflector.ts';
import type { ReflectorState } from './reflector-state.ts';

interface ClusterSourceOptions {
  readonly client: ApiClient;
  /** The Node of this process, the only one that is watched. */
  readonly nodeName: string;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Omit<ReflectorLimits, 'notFoundRetryMs'>;
}

/** ServiceCIDR exists since Kubernetes 1.33 (KEP-1880); only an upgrade of the server can add it. */
const NOT_FOUND_RETRY_MS = 300_000;

/** Watches Services, EndpointSlices, ServiceCIDRs and the Node of this process. */
export class ClusterSource {
  readonly #reflectors: readonly Pick<Reflector<Kind>, 'run' | 'state'>[];

  constructor({ nodeName, limits = {}, ...common }: ClusterSourceOptions) {
    const ownNode = { ...KINDS.Node, fieldSelector: `metadata.name=${nodeName}` };
    const serviceCidrLimits = { ...limits, notFoundRetryMs: NOT_FOUND_RETRY_MS };
    this.#reflectors = [
      new Reflector({ ...common, traits: KINDS.Service, limits }),
      new Reflector({ ...common, traits: KINDS.EndpointSlice, limits }),
      new Reflector({ ...common, traits: ownNode, limits }),
      new Reflector({ ...common, traits: KINDS.ServiceCIDR, limits: serviceCidrLimits }),
    ];
  }

  /** The state of each kind. */
  states(): ReflectorState[] {
    return this.#reflectors.map((reflector) => reflector.state());
  }

  /** Updates the sink until the signal aborts. Rejects only with an error of the sink. */
  async run(signal: AbortSignal): Promise<void> {
    const controller = new AbortController();
    const stop = () => controller.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const runs = this.#reflectors.map((reflector) => reflector.run(controller.signal));
    try {
      await Promise.all(runs);
    } finally {
      // After a failure, stop the other reflectors too.
      stop();
      signal.removeEventListener('abort', stop);
      await Promise.allSettled(runs);
    }
  }
}
