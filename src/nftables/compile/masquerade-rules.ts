// The rules of the chain nat-postrouting.

import { familyOf } from '../../net/address.ts';
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import type { Rule } from '../syntax/statement.ts';
import type { NodeView } from './node-view.ts';
import { HAIRPIN } from './sets-and-maps.ts';

/**
 * Masquerades marked flows, and endpoints that connect to themselves. A process of this node whose source is the one that the
 * route prefers keeps it: the kernel would take an address of another link, because this link does not have one.
 */
export function masqueradeRules(family: Family, { masqueradeBit: bit, routeSources }: NodeView): Rule[] {
  const { bits } = FAMILY_TRAITS[family];
  const kept = routeSources.filter(({ address }) => familyOf(address) === family);
  return [
    ...kept.map(
      ({ address, link }): Rule => [
        { kind: 'mark-is-set', bit },
        { kind: 'in-prefix', field: 'saddr', prefix: `${address}/${bits}`, negate: false },
        { kind: 'output-interface', name: link },
        { kind: 'is-local', field: 'saddr' },
        { kind: 'clear-mark', bit },
      ],
    ),
    [{ kind: 'mark-is-set', bit }, { kind: 'clear-mark', bit }, { kind: 'masquerade' }],
    [
      { kind: 'status-dnat' },
      { kind: 'in-set', fields: HAIRPIN, set: 'hairpin-connections', negate: false },
      { kind: 'masquerade' },
    ],
  ];
}
