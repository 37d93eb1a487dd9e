// The label and field selectors that nftlane uses.

import type { StoredObject } from './collection.ts';

/** Whether the selector matches an object. */
export type Selector = (stored: StoredObject) => boolean;

/** Throws an Error for an unsupported term, for which the server responds with 400. */
export function parseSelector(query: URLSearchParams): Selector {
  const tests = [
    ...terms(query.get('labelSelector')).map((term) => test(term, ({ labels }) => labels)),
    ...terms(query.get('fieldSelector')).map((term) => test(checkedField(term), ({ fields }) => fields)),
  ];
  return (stored) => tests.every((passes) => passes(stored));
}

function terms(selector: string | null): string[] {
  return (selector ?? '').split(',').filter((term) => term !== '');
}

const TERM = /^(?<not>!)?(?<name>[^=!]+)(?:(?<operator>!=|==?)(?<value>.*))?$/;

function test(term: string, valuesOf: (stored: StoredObject) => Readonly<Record<string, string>>): Selector {
  const { not, name = '', operator, value } = TERM.exec(term)?.groups ?? {};
  if (name === '') throw new Error(`unable to parse requirement: ${term}`);
  if (operator === undefined) return (stored) => (valuesOf(stored)[name] === undefined) === (not !== undefined);
  return (stored) => (valuesOf(stored)[name] === value) === (operator !== '!=');
}

const FIELDS = ['metadata.name', 'metadata.namespace', 'spec.clusterIP'];

function checkedField(term: string): string {
  if (!FIELDS.includes(term.split(/[!=]/)[0] ?? '')) throw new Error(`field label not supported: ${term}`);
  return term;
}
