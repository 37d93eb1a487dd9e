// Renders manifests with `kubectl kustomize`.

import { execFileSync } from 'node:child_process';
import { parseAllDocuments } from 'yaml';
import type { ApiObject } from './merge.ts';

/** The objects of a directory with a kustomization. */
export function kustomize(directory: string): ApiObject[] {
  return documents(execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8' }));
}

/** The documents of a YAML stream. Throws the first error or warning of the parser. */
export function documents(text: string): ApiObject[] {
  return parseAllDocuments(text).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return document.toJS();
  });
}

/** The name of an object, or an empty string. */
export function nameOf(object: ApiObject | undefined): string {
  const { name = '' } = (object?.['metadata'] ?? {}) as { name?: string };
  return name;
}
