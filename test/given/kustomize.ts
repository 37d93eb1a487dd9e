// What `kubectl kustomize` makes of our manifests. It knows the few words that they use, and fails on any other.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { ApiObject } from './merge.ts';

/** A step of a JSON patch (RFC 6902). */
interface Step {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

interface Patch {
  readonly path: string;
  readonly target: { readonly kind: string; readonly name: string };
}

/** The objects of a directory with a kustomization, in its order. Fails where a patch meets nothing. */
export function kustomize(directory: string): ApiObject[] {
  const { apiVersion, kind, resources, patches = [], ...others } = parse(read(directory, 'kustomization.yaml'));
  if (apiVersion !== 'kustomize.config.k8s.io/v1beta1' || kind !== 'Kustomization') throw new Error('No kustomization');
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new Error(`Cannot read "${directory}": "${unknown}" is not known here`);
  const objects = (resources as string[]).flatMap((path) =>
    path.endsWith('.yaml') ? documents(read(directory, path)) : kustomize(join(directory, path)),
  );
  for (const { path, target } of patches as Patch[]) {
    const matching = objects.filter((object) => object['kind'] === target.kind && nameOf(object) === target.name);
    if (matching.length !== 1)
      throw new Error(`Cannot patch ${target.kind} "${target.name}": ${matching.length} found`);
    for (const step of parse(read(directory, path)) as Step[]) apply(step, matching[0]);
  }
  return objects;
}

/** The documents of a YAML stream; what YAML complains about is thrown. */
export function documents(text: string): ApiObject[] {
  return parseAllDocuments(text).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return document.toJS();
  });
}

/** `namespace/name`, or the name alone. */
export function nameOf(object: ApiObject | undefined): string {
  const { name = '' } = (object?.['metadata'] ?? {}) as { name?: string };
  return name;
}

/** An index or a member has to be there to be replaced, and its parent to be added to. */
function apply({ op, path, value }: Step, object: unknown): void {
  const keys = path
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop() ?? '';
  const parent = keys.reduce((place, key) => (place as Record<string, unknown> | undefined)?.[key], object);
  if (typeof parent !== 'object' || parent === null) throw new Error(`Cannot ${op} "${path}": there is no such place`);
  if (Array.isArray(parent) && op === 'add' && last === '-') {
    parent.push(value);
    return;
  }
  if (Array.isArray(parent) && op === 'add')
    throw new Error(`Cannot add "${path}": only the end of a list is known here`);
  if (op === 'replace' && !Object.hasOwn(parent, last)) throw new Error(`Cannot replace "${path}": it is not there`);
  (parent as Record<string, unknown>)[last] = value;
}

function read(directory: string, path: string): string {
  return readFileSync(join(directory, path), 'utf8');
}
