// Service ports with the Local policy that this node has no endpoint for, although there are some elsewhere.
import type { Engine } from '../../engine/engine.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';

export interface NoLocalEndpointsCount {
  readonly policy: 'internal' | 'external';
  readonly label: 'IPv4' | 'IPv6';
  readonly count: number;
}

type NoLocalEndpointsKey = Pick<NoLocalEndpointsCount, 'policy' | 'label'>;

/** Looks again only at Services that have changed, and only when it is asked. */
export class NoLocalEndpoints {
  readonly #engine: Pick<Engine, 'model' | 'store'>;
  readonly #changed = new Set<string>();
  /** Services without a gap are not in it. */
  readonly #byService = new Map<string, readonly NoLocalEndpointsKey[]>();

  constructor(engine: Pick<Engine, 'model' | 'store'>) {
    this.#engine = engine;
  }

  /** These Services changed, or their endpoints did. */
  markChanged(services: Iterable<string>): void {
    for (const service of services) this.#changed.add(service);
  }

  counts(): NoLocalEndpointsCount[] {
    for (const service of this.#changed) this.#refresh(service);
    this.#changed.clear();
    const all = [...this.#byService.values()].flat();
    return FAMILIES.map((family) => FAMILY_TRAITS[family].label).flatMap((label) =>
      (['internal', 'external'] as const).map((policy) => {
        const count = all.filter((entry) => entry.policy === policy && entry.label === label).length;
        return { policy, label, count };
      }),
    );
  }

  #refresh(key: string): void {
    const entries = this.#computeFor(key);
    if (entries.length > 0) this.#byService.set(key, entries);
    else this.#byService.delete(key);
  }

  #computeFor(key: string): NoLocalEndpointsKey[] {
    const service = this.#engine.store.services.get(key);
    if (service?.internalTrafficPolicy !== 'Local' && service?.externalTrafficPolicy !== 'Local') return [];
    const policies = [
      ...(service.internalTrafficPolicy === 'Local' ? (['internal'] as const) : []),
      ...(service.externalTrafficPolicy === 'Local' ? (['external'] as const) : []),
    ];
    return this.#engine
      .model(key)
      .filter(({ selection }) => selection.hasAnyEndpoints && selection.local.length === 0)
      .flatMap(({ family }) => policies.map((policy) => ({ policy, label: FAMILY_TRAITS[family].label })));
  }
}
