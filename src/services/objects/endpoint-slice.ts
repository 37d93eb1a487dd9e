// EndpointSlices, as read from the API.

import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { specialUseOf } from '../../net/special-address.ts';
import {
  asArray,
  asObject,
  asString,
  IssueCollector,
  isObjectName,
  type JsonObject,
  type MissedSlice,
  type ReadResult,
  readAddress,
  readKey,
  readUnnamed,
} from './read.ts';
import { isPort } from './service-ports.ts';

interface SlicePort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface SliceEndpoint {
  readonly address: Address;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Empty if unknown. */
  readonly nodeName: string;
  /** The zones whose clients should use this endpoint; empty without a hint. */
  readonly zoneHints: readonly string[];
  /** The same for nodes. */
  readonly nodeHints: readonly string[];
}

export interface EndpointSlice {
  /** `namespace/name` of the slice. */
  readonly key: string;
  /** `namespace/name` of its Service. */
  readonly service: string;
  readonly family: Family;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
  /** The time of the change that caused this version, in milliseconds since 1970; 0 if unknown. */
  readonly lastChangeTriggerTime: number;
}

/** Marks slices of headless Services, with any value. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
const API_VERSION = 'discovery.k8s.io/v1';
export const SERVICE_LABEL = 'kubernetes.io/service-name';
const LAST_CHANGE_TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';

const FAMILY_BY_ADDRESS_TYPE: ReadonlyMap<unknown, Family> = new Map([
  ['IPv4', 'ip'],
  ['IPv6', 'ip6'],
]);

/** Reads a `discovery.k8s.io/v1 EndpointSlice`. */
export function readEndpointSlice(object: unknown): ReadResult<EndpointSlice> {
  const slice = asObject(object);
  if (isUnsupportedSlice(slice)) return unsupportedSlice(slice);
  const metadata = asObject(slice['metadata']);
  const key = readKey(metadata, { namespaced: true });
  if (key === '') return readUnnamed('EndpointSlice', metadata);
  const labels = asObject(metadata['labels']);
  const service = asString(labels[SERVICE_LABEL]);
  const skipped = skippedSlice(slice, { key, labels, service });
  if (skipped !== undefined) return { key, ...skipped, issues: [] };
  const family = FAMILY_BY_ADDRESS_TYPE.get(slice['addressType']);
  const issues = new IssueCollector('EndpointSlice', key);
  if (family === undefined) {
    issues.add({
      field: 'addressType',
      value: slice['addressType'],
      reason: 'must be IPv4 or IPv6',
      effect: 'ignoring the slice',
    });
    return { key, issues: issues.all };
  }
  const value: EndpointSlice = {
    key,
    service: `${key.slice(0, key.indexOf('/'))}/${service}`,
    family,
    ports: readPorts(slice['ports'], issues),
    endpoints: readEndpoints(slice['endpoints'], family, issues),
    lastChangeTriggerTime:
      Date.parse(asString(asObject(metadata['annotations'])[LAST_CHANGE_TRIGGER_TIME_ANNOTATION])) || 0,
  };
  return { key, value, issues: issues.all };
}

interface SkippedSlice {
  readonly skipped: string;
  readonly missed: MissedSlice;
}

/** Why a valid slice is not read, and which Service may miss it. */
function skippedSlice(
  slice: JsonObject,
  { key, labels, service }: { readonly key: string; readonly labels: JsonObject; readonly service: string },
): SkippedSlice | undefined {
  const { addressType } = slice;
  const [namespace = '', name = ''] = key.split('/');
  const missed = { object: `EndpointSlice ${key}`, services: [`${namespace}/${service}`] };
  if (labels[HEADLESS_LABEL] !== undefined) {
    const [field, value] = [`metadata.labels["${HEADLESS_LABEL}"]`, labels[HEADLESS_LABEL]];
    const reason = 'is for slices of headless Services only';
    return { skipped: 'its Service is headless', missed: { ...missed, field, value, reason } };
  }
  if (!isObjectName(service)) {
    const field = `metadata.labels["${SERVICE_LABEL}"]`;
    const services = namesIn(name).map((candidate) => `${namespace}/${candidate}`);
    const reason = 'must be the name of its Service';
    return {
      skipped: `it does not belong to a Service (label ${SERVICE_LABEL})`,
      missed: { ...missed, services, field, value: labels[SERVICE_LABEL], reason },
    };
  }
  if (addressType !== 'FQDN') return undefined;
  const reason = 'must be IPv4 or IPv6, because names are not resolved';
  return {
    skipped: 'its addresses are names (FQDN)',
    missed: { ...missed, field: 'addressType', value: addressType, reason },
  };
}

/** The names of which a slice is commonly derived: `a-b-c`, `a-b` and `a` for `a-b-c`. */
function namesIn(name: string): string[] {
  const parts = name.split('-');
  return parts.slice(0, MAX_PARTS).map((_, index) => parts.slice(0, parts.length - index).join('-'));
}

const MAX_PARTS = 8;

/** Whether an object is in place of an EndpointSlice that is read: `Endpoints`, or an EndpointSlice of another version. */
export function isUnsupportedSlice({ apiVersion, kind }: JsonObject): boolean {
  if (apiVersion === 'v1') return kind === 'Endpoints';
  return kind === 'EndpointSlice' && apiVersion !== API_VERSION && String(apiVersion).startsWith('discovery.k8s.io/');
}

/** A Service misses it if it has no EndpointSlice. */
function unsupportedSlice({ apiVersion, kind, metadata }: JsonObject): ReadResult<EndpointSlice> {
  const key = readKey(asObject(metadata), { namespaced: true });
  if (key === '') return readUnnamed(asString(kind), asObject(metadata));
  const [namespace = '', name = ''] = key.split('/');
  const label = asString(asObject(asObject(metadata)['labels'])[SERVICE_LABEL]);
  const services = label === '' ? namesIn(name) : [label];
  const [field, value] = kind === 'Endpoints' ? ['kind', kind] : ['apiVersion', apiVersion];
  const reason = `only EndpointSlices of ${API_VERSION} are read`;
  const object = `${kind} ${key}`;
  const missed = { object, services: services.map((service) => `${namespace}/${service}`), field, value, reason };
  return { key: `${apiVersion} ${object}`, skipped: reason, missed, issues: [] };
}

function readPorts(value: unknown, issues: IssueCollector): SlicePort[] {
  const ports: SlicePort[] = [];
  for (const [index, entry] of asArray(value).entries()) {
    const { name = '', protocol: apiProtocol, port } = asObject(entry);
    const protocol = parseProtocol(asString(apiProtocol) || 'TCP');
    const path = `ports[${index}]`;
    const effect = 'ignoring this port';
    if (!isPort(port))
      issues.add({ field: `${path}.port`, value: port, reason: 'must be a whole number from 1 to 65535', effect });
    else if (protocol === undefined)
      issues.add({ field: `${path}.protocol`, value: apiProtocol, reason: 'must be TCP, UDP or SCTP', effect });
    else ports.push({ name: asString(name), protocol, port });
  }
  return ports;
}

function readEndpoints(value: unknown, family: Family, issues: IssueCollector): SliceEndpoint[] {
  const endpoints: SliceEndpoint[] = [];
  for (const [index, entry] of asArray(value).entries()) {
    const { addresses, conditions, nodeName, hints } = asObject(entry);
    const address = readEndpointAddress(asArray(addresses)[0], { index, family, issues });
    if (address === undefined) continue;
    const { ready, serving, terminating } = asObject(conditions);
    endpoints.push({
      address,
      ready: ready !== false,
      serving: serving !== false,
      terminating: terminating === true,
      nodeName: intern(asString(nodeName)),
      zoneHints: hints === undefined ? NONE : readHints(asObject(hints)['forZones']),
      nodeHints: hints === undefined ? NONE : readHints(asObject(hints)['forNodes']),
    });
  }
  return endpoints;
}

function readEndpointAddress(
  value: unknown,
  { index, family, issues }: { index: number; family: Family; issues: IssueCollector },
): Address | undefined {
  const text = asString(value);
  const parsed = parseAddress(text);
  // Nearly all are: there may be 100,000.
  const isUsual = parsed === text && familyOf(parsed) === family && specialUseOf(parsed) === undefined;
  if (isUsual) return parsed;
  const field = `endpoints[${index}].addresses[0]`;
  const effect = 'ignoring this endpoint';
  if (parsed !== undefined && familyOf(parsed) === family) return readAddress(text, issues, { field, effect });
  const reason = family === 'ip' ? 'is not an IPv4 address' : 'is not an IPv6 address';
  issues.add({ field, value, reason, effect });
  return undefined;
}

const NONE: readonly string[] = [];

function readHints(value: unknown): readonly string[] {
  const names = asArray(value).map((hint) => intern(asString(asObject(hint)['name'])));
  return names.length === 0 ? NONE : names.filter((name) => name !== '');
}

/**
 * Returns one copy of each node and zone name, since 100,000 endpoints have a few thousand distinct names.
 * The cache is bounded: names of deleted nodes must not accumulate.
 */
function intern(name: string): string {
  if (name === '') return '';
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size >= 20_000) names.clear();
  names.set(name, name);
  return name;
}
const names = new Map<string, string>();
