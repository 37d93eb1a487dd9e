// The path of a request for the objects of one kind.
import type { Kind, KindTraits } from '../../../services/objects/kinds.ts';

/** Path and query; the selectors of the kind are always in it. Empty parameters are left out. */
export function collectionPath(traits: KindTraits<Kind>, query: Readonly<Record<string, string>>): string {
  const { path, labelSelector = '', fieldSelector = '' } = traits;
  const parameters = Object.entries({ labelSelector, fieldSelector, ...query }).filter(([, value]) => value !== '');
  return `${path}?${new URLSearchParams(parameters)}`;
}
