// The request path for the objects of a kind.

import type { Kind, KindTraits } from '../../../services/objects/kinds.ts';

/** The path with a query that includes the selectors of the kind. Empty parameters are omitted. */
export function collectionPath(traits: KindTraits<Kind>, query: Readonly<Record<string, string>>): string {
  const { path, labelSelector = '', fieldSelector = '' } = traits;
  const parameters = Object.entries({ labelSelector, fieldSelector, ...query }).filter(([, value]) => value !== '');
  return `${path}?${new URLSearchParams(parameters)}`;
}
