// Fields of a Service that have one word of a few: another one, such as `local` for `Local`, must not be passed over in silence.
import type { IssueCollector, JsonObject } from './read.ts';

interface EnumField {
  readonly field: string;
  readonly values: readonly string[];
  /** What any other word comes to. */
  readonly effect: string;
}

const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const ENUM_FIELDS: readonly EnumField[] = [
  {
    field: 'type',
    values: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
    effect: 'it counts as ClusterIP',
  },
  { field: 'internalTrafficPolicy', values: TRAFFIC_POLICIES, effect: 'Cluster holds' },
  { field: 'externalTrafficPolicy', values: TRAFFIC_POLICIES, effect: 'Cluster holds' },
  { field: 'sessionAffinity', values: ['None', 'ClientIP'], effect: 'None holds' },
];

/** Adds a issue for every such field of a Service's `spec` that has another word; absent, null and empty are none. */
export function validateEnumFields(spec: JsonObject, issues: IssueCollector): void {
  for (const { field, values, effect } of ENUM_FIELDS) {
    const value = spec[field] ?? '';
    if (value === '' || values.some((allowed) => allowed === value)) continue;
    issues.add({
      field: `spec.${field}`,
      value,
      reason: `must be ${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
      effect,
    });
  }
}
