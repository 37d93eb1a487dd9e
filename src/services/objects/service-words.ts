// Fields of a Service that have one word of a few: another one, such as `local` for `Local`, must not be passed over in silence.
import type { Fields, Findings } from './read.ts';

interface Word {
  readonly field: string;
  readonly words: readonly string[];
  /** What any other word comes to. */
  readonly effect: string;
}

const POLICIES = ['Cluster', 'Local'];
const WORDS: readonly Word[] = [
  { field: 'type', words: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], effect: 'it counts as ClusterIP' },
  { field: 'internalTrafficPolicy', words: POLICIES, effect: 'Cluster holds' },
  { field: 'externalTrafficPolicy', words: POLICIES, effect: 'Cluster holds' },
  { field: 'sessionAffinity', words: ['None', 'ClientIP'], effect: 'None holds' },
];

/** Adds a finding for every such field of a Service's `spec` that has another word; absent, null and empty are none. */
export function checkWords(spec: Fields, findings: Findings): void {
  for (const { field, words, effect } of WORDS) {
    const value = spec[field] ?? '';
    if (value === '' || words.some((word) => word === value)) continue;
    findings.add(`spec.${field}`, value, `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`, effect);
  }
}
