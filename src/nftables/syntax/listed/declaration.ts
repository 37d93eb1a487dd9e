// The normal form of a declaration of a set or map: the same for the one that we write and for its listing.

import { parseDuration } from './duration.ts';

/** The properties in a fixed order, as in `flags interval` and `typeof ip daddr`. */
export function normalDeclaration(properties: readonly string[]): string[] {
  const normal = new Map<string, string>();
  for (const property of properties) {
    const { name, value } = splitProperty(property);
    normal.set(name, normalValue(name, value));
  }
  // nft does not list the flag of a set with a default timeout.
  if (normal.has('timeout')) normal.set('flags', normalFlags(`${normal.get('flags') ?? ''},timeout`));
  return [...normal].map(([name, value]) => (value === '' ? name : `${name} ${value}`)).sort();
}

function splitProperty(text: string): { readonly name: string; readonly value: string } {
  // Newer nft appends the number of elements: `size 65535 # count 5`.
  const property = text.replace(/\s+# count \d+$/, '').trim();
  const space = property.indexOf(' ');
  return space < 0
    ? { name: property, value: '' }
    : { name: property.slice(0, space), value: property.slice(space + 1) };
}

function normalValue(name: string, value: string): string {
  if (name === 'flags') return normalFlags(value);
  if (name !== 'timeout' && name !== 'gc-interval') return value;
  const seconds = parseDuration(value);
  return seconds === undefined ? value : `${seconds}s`;
}

function normalFlags(value: string): string {
  return [...new Set(value.split(',').filter((flag) => flag !== ''))].sort().join(',');
}
