// Parses objects of the API and reports each invalid field.

import { printable } from '../../lib/printable.ts';
import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { type SpecialUse, specialUseOf } from '../../net/special-address.ts';
import type { ValidationIssue } from './validation-issue.ts';

/** A parsed object. Without `value` it is ignored; `skipped` is the reason if the object is valid. */
export interface ReadResult<T> {
  /** `namespace/name`, or the name of a cluster-scoped object; empty without a valid name. */
  readonly key: string;
  readonly value?: T;
  readonly skipped?: string;
  /** Addresses that belong to a skipped object. */
  readonly reserved?: readonly Address[];
  /** For a skipped EndpointSlice that a Service may miss. */
  readonly missed?: MissedSlice;
  readonly issues: readonly ValidationIssue[];
}

/** An EndpointSlice that is not read, or another object in place of one. */
export interface MissedSlice {
  /** Kind and name, such as `EndpointSlice shop/web-1`. */
  readonly object: string;
  /** The Services that it may be meant for, as `namespace/name`. */
  readonly services: readonly string[];
  /** The field for which it is not read. */
  readonly field: string;
  readonly value: unknown;
  readonly reason: string;
}

/** Any JSON object. */
export type JsonObject = { readonly [field: string]: unknown };

/** The value as an object; empty for another type. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** The value as a list; empty for another type. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a string; empty for another type. */
export function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A DNS-1123 subdomain. Names appear in comments of the ruleset and in file names. */
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Whether Kubernetes accepts the name for an object. */
export function isObjectName(name: string): boolean {
  return OBJECT_NAME.test(name);
}

/** Names of namespaces, Services and ports are DNS labels. Names of chains contain all three. */
const SHORT_NAME_MAX = 63;

/** Whether Kubernetes accepts the name for a namespace, a Service or a port. */
export function isShortName(name: string): boolean {
  return name.length <= SHORT_NAME_MAX && isObjectName(name);
}

/** A {@link ValidationIssue} before its object is named and its value printed. */
interface Issue extends Omit<ValidationIssue, 'object' | 'value'> {
  readonly value: unknown;
}

/** An object can have tens of thousands of invalid values. These suffice to find the cause. */
const MAX_ISSUES = 20;

/** Collects the issues of one object. */
export class IssueCollector {
  readonly #object: string;
  readonly all: ValidationIssue[] = [];
  #more = 0;

  constructor(kind: string, key: string) {
    this.#object = `${kind} ${key === '' ? '(without a name)' : key}`;
  }

  /** Counts an issue instead of keeping it when there are {@link MAX_ISSUES} already. */
  add({ value, ...issue }: Issue): void {
    if (this.all.length < MAX_ISSUES) {
      this.all.push({ object: this.#object, ...issue, value: formatValue(value) });
      return;
    }
    this.#more++;
    const summary = { field: 'other fields', value: String(this.#more), reason: 'are invalid, too' };
    this.all[MAX_ISSUES] = { object: this.#object, ...summary, effect: 'ignoring them likewise' };
  }
}

/** Where an address was found, and the effect if it cannot be used. */
interface AddressField {
  readonly field: string;
  readonly effect: string;
  /** Special addresses that are valid here. */
  readonly allowed?: readonly SpecialUse[];
}

/**
 * Reads the address of a frontend or endpoint, and reports an invalid one. Like the API server, it accepts no unspecified,
 * loopback, link-local and multicast addresses: no client could reach them, or they would take traffic from the node itself.
 * Also reports IPv4 addresses with several readings (KEP-4858), which it uses in the reading of kube-proxy.
 */
export function readAddress(text: string, issues: IssueCollector, at: AddressField): Address | undefined {
  const { field, effect, allowed = [] } = at;
  const address = parseAddress(text);
  if (address === undefined) {
    issues.add({ field, value: text, reason: 'is not an IP address', effect });
    return undefined;
  }
  const use = specialUseOf(address);
  if (use !== undefined && !allowed.includes(use)) {
    const article = use === 'unspecified' ? 'an' : 'a';
    issues.add({ field, value: text, reason: `is ${article} ${use} address`, effect });
    return undefined;
  }
  if (address !== text && familyOf(address) === 'ip') {
    const reason = text.includes(':')
      ? 'is an IPv4-mapped IPv6 address'
      : 'has leading zeros, which others read as octal';
    issues.add({ field, value: text, reason, effect: `using ${address}` });
  }
  return address;
}

/** Reads a list of CIDR blocks and reports each invalid one. */
export function readPrefixes(value: unknown, field: string, issues: IssueCollector): Prefix[] {
  return asArray(value).flatMap((text, index) => {
    const prefix = parsePrefix(asString(text));
    if (prefix !== undefined) return [prefix];
    const reason = 'is not a CIDR block';
    issues.add({ field: `${field}[${index}]`, value: text, reason, effect: 'ignoring this block' });
    return [];
  });
}

function formatValue(value: unknown): string {
  const json = value === undefined ? '(absent)' : printable(JSON.stringify(value));
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/**
 * The key of an object: `namespace/name`, or `name` for cluster-scoped kinds; empty without a valid name.
 * The default namespace is `default`, as in kubectl.
 */
export function readKey(metadata: JsonObject, { namespaced, short = false }: NameRules): string {
  const name = asString(metadata['name']);
  if (!isValidName(name, { short })) return '';
  if (!namespaced) return name;
  const namespace = asString(metadata['namespace']) || 'default';
  return isShortName(namespace) ? `${namespace}/${name}` : '';
}

/** The names of a kind. `short` names must be DNS labels. */
interface NameRules {
  readonly namespaced: boolean;
  readonly short?: boolean;
}

function isValidName(name: string, { short }: { short: boolean }): boolean {
  return short ? isShortName(name) : isObjectName(name);
}

/** The marks of Helm, Go and Jinja templates. */
export const TEMPLATE = /\{\{|\{%/;
/** The reason of an error in one. */
export const UNRENDERED_TEMPLATE = 'is a template, which has to be rendered first';

/** The result for an object without a valid name. */
export function readUnnamed<T>(kind: string, metadata: JsonObject, { short = false } = {}): ReadResult<T> {
  const issues = new IssueCollector(kind, '');
  const field = isValidName(asString(metadata['name']), { short }) ? 'namespace' : 'name';
  issues.add({
    field: `metadata.${field}`,
    value: metadata[field],
    reason: TEMPLATE.test(asString(metadata[field])) ? UNRENDERED_TEMPLATE : 'is not a valid object name',
    effect: 'ignoring the object',
  });
  return { key: '', issues: issues.all };
}
