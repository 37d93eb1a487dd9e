// An Event to record.

import type { EventSpec } from '../../../src/events/event-spec.ts';

/** A warning about the Node n1. */
export function eventSpec(overrides: Partial<EventSpec> = {}): EventSpec {
  const regarding = { kind: 'Node', key: 'n1' } as const;
  return {
    regarding,
    type: 'Warning',
    reason: 'RulesetRepaired',
    action: 'Repair',
    note: 'flushed',
    scope: 'node',
    ...overrides,
  };
}
