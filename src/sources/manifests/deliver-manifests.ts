// Passes the objects of manifests to a sink.

import { KINDS, type Kind } from '../../services/objects/kinds.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { ManifestObject } from './parse/parse-manifests.ts';

/** Replaces every kind, including kinds without objects, which are then known. */
export function deliverManifests(objects: readonly ManifestObject[], sink: Sink): void {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const results = objects.filter((object) => object.kind === kind).map(({ result }) => result);
    sink.replace(kind, results);
  }
}
