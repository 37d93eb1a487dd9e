// What `kubectl kustomize` makes of our manifests.
import { execFileSync } from 'node:child_process';
import { parseAllDocuments } from 'yaml';
import type { ApiObject } from './merge.ts';

/** The objects of a directory with a kustomization. */
export function kustomize(directory: string): ApiObject[] {
  return documents(execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8' }));
}

/** The documents of a YAML stream; what YAML complains about is thrown. */
export function documents(text: string): ApiObject[] {
  return parseAllDocuments(text).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return document.toJS();
  });
}

/** Its name; empty where it has none. */
export function nameOf(object: ApiObject | undefined): string {
  const { name = '' } = (object?.['metadata'] ?? {}) as { name?: string };
  return name;
}
