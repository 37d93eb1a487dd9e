// Merges the objects of several files, each object once.

import type { Kind } from '../../services/objects/kinds.ts';
import { IssueCollector } from '../../services/objects/read.ts';
import type { ManifestObject } from './parse/parse-manifests.ts';

/** The objects of one file. */
export interface FileObjects {
  readonly file: string;
  readonly objects: readonly ManifestObject[];
}

/**
 * The objects by kind and key, from files in order. Of several definitions, the last one is used, with an issue.
 * The objects of a kind without a valid name become one object with an empty key and all their issues.
 * An object with one definition is returned unchanged, so that callers can compare it by identity.
 */
export function mergeManifests(files: Iterable<FileObjects>): Map<string, ManifestObject> {
  const definitions = new Map<string, [Definition, ...Definition[]]>();
  for (const { file, objects } of files) {
    for (const object of objects) {
      const id = `${object.kind} ${object.result.key}`;
      const others = definitions.get(id);
      if (others === undefined) definitions.set(id, [{ file, object }]);
      else others.push({ file, object });
    }
  }
  return new Map([...definitions].map(([id, all]) => [id, mergeDefinitions(all)]));
}

interface Definition {
  readonly file: string;
  readonly object: ManifestObject;
}

function mergeDefinitions(definitions: readonly [Definition, ...Definition[]]): ManifestObject {
  const { file, object } = definitions.at(-1) ?? definitions[0];
  const { kind, result } = object;
  if (definitions.length === 1) return object;
  if (result.key === '') return mergeUnnamed(kind, definitions);
  const issues = new IssueCollector(kind, result.key);
  const name = result.key.slice(result.key.indexOf('/') + 1);
  const definingFiles = [...new Set(definitions.map((definition) => definition.file))].join(', ');
  issues.add({
    field: 'metadata.name',
    value: name,
    reason: `is defined ${definitions.length} times: in ${definingFiles}`,
    effect: `using the last one, in ${file}`,
  });
  return { kind, result: { ...result, issues: [...result.issues, ...issues.all] } };
}

function mergeUnnamed(kind: Kind, definitions: readonly Definition[]): ManifestObject {
  return { kind, result: { key: '', issues: definitions.flatMap(({ object }) => object.result.issues) } };
}
