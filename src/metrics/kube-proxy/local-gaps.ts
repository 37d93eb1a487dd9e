// Service ports with the Local policy that this node has no endpoint for, although there are some elsewhere.
import type { Engine } from '../../engine/engine.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';

export interface GapCount {
  readonly policy: 'internal' | 'external';
  readonly label: 'IPv4' | 'IPv6';
  readonly count: number;
}

type Gap = Pick<GapCount, 'policy' | 'label'>;

/** Looks again only at Services that have changed, and only when it is asked. */
export class LocalGaps {
  readonly #engine: Pick<Engine, 'model' | 'store'>;
  readonly #touched = new Set<string>();
  /** Services without a gap are not in it. */
  readonly #gaps = new Map<string, readonly Gap[]>();

  constructor(engine: Pick<Engine, 'model' | 'store'>) {
    this.#engine = engine;
  }

  /** These Services changed, or their endpoints did. */
  touch(services: Iterable<string>): void {
    for (const service of services) this.#touched.add(service);
  }

  counts(): GapCount[] {
    for (const service of this.#touched) this.#look(service);
    this.#touched.clear();
    const all = [...this.#gaps.values()].flat();
    return FAMILIES.map((family) => FAMILY_TRAITS[family].label).flatMap((label) =>
      (['internal', 'external'] as const).map((policy) => {
        const count = all.filter((gap) => gap.policy === policy && gap.label === label).length;
        return { policy, label, count };
      }),
    );
  }

  #look(key: string): void {
    const gaps = this.#gapsOf(key);
    if (gaps.length > 0) this.#gaps.set(key, gaps);
    else this.#gaps.delete(key);
  }

  #gapsOf(key: string): Gap[] {
    const service = this.#engine.store.services.get(key);
    if (service?.internalPolicy !== 'Local' && service?.externalPolicy !== 'Local') return [];
    const policies = [
      ...(service.internalPolicy === 'Local' ? (['internal'] as const) : []),
      ...(service.externalPolicy === 'Local' ? (['external'] as const) : []),
    ];
    return this.#engine
      .model(key)
      .filter(({ selection }) => selection.any && selection.local.length === 0)
      .flatMap(({ family }) => policies.map((policy) => ({ policy, label: FAMILY_TRAITS[family].label })));
  }
}
