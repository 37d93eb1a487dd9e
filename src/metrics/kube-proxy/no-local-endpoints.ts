// Service ports with the Local policy that have endpoints, but none on this node.

import type { ServiceChange } from '../../engine/service-change.ts';
import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';

interface NoLocalEndpointsCount {
  readonly policy: 'internal' | 'external';
  readonly label: 'IPv4' | 'IPv6';
  readonly count: number;
}

type NoLocalEndpointsKey = Pick<NoLocalEndpointsCount, 'policy' | 'label'>;

/** Counts the committed Services. */
export class NoLocalEndpoints {
  /** Only Services with such a port. */
  readonly #byService = new Map<string, readonly NoLocalEndpointsKey[]>();

  /** Services that were committed. */
  update(changes: readonly ServiceChange[]): void {
    for (const change of changes) {
      const entries = portsWithoutLocalEndpoints(change);
      if (entries.length > 0) this.#byService.set(change.key, entries);
      else this.#byService.delete(change.key);
    }
  }

  counts(): NoLocalEndpointsCount[] {
    const all = [...this.#byService.values()].flat();
    return FAMILIES.map((family) => FAMILY_TRAITS[family].label).flatMap((label) =>
      (['internal', 'external'] as const).map((policy) => {
        const count = all.filter((entry) => entry.policy === policy && entry.label === label).length;
        return { policy, label, count };
      }),
    );
  }
}

function portsWithoutLocalEndpoints(change: ServiceChange): NoLocalEndpointsKey[] {
  if (change.state !== 'served') return [];
  const { internalTrafficPolicy, externalTrafficPolicy } = change.service;
  const policies = [
    ...(internalTrafficPolicy === 'Local' ? (['internal'] as const) : []),
    ...(externalTrafficPolicy === 'Local' ? (['external'] as const) : []),
  ];
  // The model of other Services is not needed, and may have to be computed.
  if (policies.length === 0) return [];
  return change.ports
    .filter(({ selection }) => selection.hasAnyEndpoints && selection.local.length === 0)
    .flatMap(({ family }) => policies.map((policy) => ({ policy, label: FAMILY_TRAITS[family].label })));
}
