// Service fields with a fixed set of values. Other values, such as `local` for `Local`, are reported.

import type { IssueCollector, JsonObject } from './read.ts';

interface EnumField {
  readonly field: string;
  readonly values: readonly string[];
  /** The effect of any other value. */
  readonly effect: string;
}

const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const ENUM_FIELDS: readonly EnumField[] = [
  {
    field: 'type',
    values: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
    effect: 'using ClusterIP',
  },
  { field: 'internalTrafficPolicy', values: TRAFFIC_POLICIES, effect: 'using Cluster' },
  { field: 'externalTrafficPolicy', values: TRAFFIC_POLICIES, effect: 'using Cluster' },
  {
    field: 'ipFamilyPolicy',
    values: ['SingleStack', 'PreferDualStack', 'RequireDualStack'],
    effect: 'using SingleStack',
  },
  { field: 'sessionAffinity', values: ['None', 'ClientIP'], effect: 'using None' },
];

/** Adds an issue for each such field of a Service's `spec` with another value. Absent, null and empty fields are valid. */
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
