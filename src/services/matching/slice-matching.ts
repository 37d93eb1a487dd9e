// Why a Service finds no endpoints in its EndpointSlices, or in others that look like its own.

import { compare } from '../../lib/compare.ts';
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { type EndpointSlice, SERVICE_LABEL } from '../objects/endpoint-slice.ts';
import { IssueCollector, type MissedSlice } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ServicePort } from '../objects/service-ports.ts';
import type { ValidationIssue } from '../objects/validation-issue.ts';

/**
 * What keeps ports of the Service from the endpoints of its slices: names and protocols of ports, or the family. If none of its
 * ports has endpoints, also the slices that would be its own but for one field (`missed`).
 */
export function sliceIssues(
  service: Service,
  slices: readonly EndpointSlice[],
  missed: Iterable<MissedSlice>,
): ValidationIssue[] {
  const filled = slices.filter(({ endpoints }) => endpoints.length > 0).sort((a, b) => compare(a.key, b.key));
  const isServed = filled.some((slice) => service.families.includes(slice.family) && hasSomePort(slice, service));
  const others = isServed ? [] : [...missed].flatMap((slice) => missedIssue(service, slice));
  return [...mismatches(service, filled), ...others];
}

/** Whether each port has endpoints in each family: true for most Services, which need no further look. */
export function isServedWhole({ families, ports }: Service, slices: readonly EndpointSlice[]): boolean {
  return families.every((family) =>
    ports.every((port) =>
      slices.some((slice) => slice.family === family && slice.endpoints.length > 0 && hasPort(slice, port)),
    ),
  );
}

/** `filled` are the slices of the Service with endpoints. */
function mismatches(service: Service, filled: readonly EndpointSlice[]): ValidationIssue[] {
  const ofFamilies = service.families.map((family) => filled.filter((slice) => slice.family === family));
  const [first] = filled;
  if (first !== undefined && ofFamilies.every((some) => some.length === 0)) return familyIssue(service, first);
  return service.ports.flatMap((port) => {
    const mismatch = ofFamilies.find((some) => some.length > 0 && !some.some((slice) => hasPort(slice, port)));
    return mismatch === undefined ? [] : portIssue(service, port, mismatch);
  });
}

function hasSomePort(slice: EndpointSlice, { ports }: Service): boolean {
  return ports.some((port) => hasPort(slice, port));
}

function missedIssue(service: Service, { object, field, value, reason }: MissedSlice): ValidationIssue[] {
  const effect = `Service ${service.key} has no other endpoints`;
  return issueOf(object, { service, field, value, reason, effect });
}

function familyIssue(service: Service, { key, family }: EndpointSlice): ValidationIssue[] {
  const families = service.families.map((name) => FAMILY_TRAITS[name].label).join(' and ');
  const value = FAMILY_TRAITS[family].label;
  const reason = `Service ${service.key} has ${families} only`;
  return issueOf(`EndpointSlice ${key}`, { service, field: 'addressType', value, reason, effect: NOT_USED });
}

const NOT_USED = 'its endpoints are not used';

/** Names the slice whose ports differ least. */
function portIssue(service: Service, port: ServicePort, slices: readonly EndpointSlice[]): ValidationIssue[] {
  const candidates = slices.map((slice) => ({ slice, ...nearestPort(slice, port) }));
  const [nearest] = candidates.sort((a, b) => a.distance - b.distance);
  if (nearest === undefined) return [];
  const { slice, field, value } = nearest;
  const { name, protocol } = port;
  const needed = `spec.ports[].name "${name}" with protocol ${protocol.toUpperCase()}`;
  const hint = slice.ports.length === 0 ? 'the slice has no usable port' : 'names and protocols must be equal';
  const reason = `${hint}: Service ${service.key} has ${needed}`;
  const effect = `the port has no endpoints${slices.length > 1 ? `, nor in ${slices.length - 1} other slices` : ''}`;
  return issueOf(`EndpointSlice ${slice.key}`, { service, field, value, reason, effect });
}

function nearestPort({ ports }: EndpointSlice, { name, protocol }: ServicePort) {
  const byName = ports.findIndex((port) => port.name === name);
  if (byName !== -1)
    return { distance: 0, field: `ports[${byName}].protocol`, value: ports[byName]?.protocol.toUpperCase() };
  const byProtocol = ports.findIndex((port) => port.protocol === protocol);
  if (byProtocol !== -1) return { distance: 1, field: `ports[${byProtocol}].name`, value: ports[byProtocol]?.name };
  return { distance: 2, field: 'ports', value: ports.map((port) => `${port.name}/${port.protocol.toUpperCase()}`) };
}

function hasPort({ ports }: EndpointSlice, { name, protocol }: ServicePort): boolean {
  return ports.some((port) => port.name === name && port.protocol === protocol);
}

function describePort({ name, protocol }: ServicePort): string {
  return `"${name}"/${protocol.toUpperCase()}`;
}

/** The issue of a slice that names a Service which does not exist; `others` are the namespaces that have one of this name. */
export function orphanIssue({ key, service }: EndpointSlice, others: readonly string[]): ValidationIssue[] {
  const name = nameOf(service);
  const hint = others.length === 0 ? '' : `; Service ${others[0]}/${name} is in another namespace`;
  const field = `metadata.labels["${SERVICE_LABEL}"]`;
  const reason = `there is no Service ${service}${hint}`;
  return issueOf(`EndpointSlice ${key}`, { service: { key: service }, field, value: name, reason, effect: NOT_USED });
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

interface SliceIssue {
  readonly service: Pick<Service, 'key'>;
  readonly field: string;
  readonly value: unknown;
  readonly reason: string;
  readonly effect: string;
}

function issueOf(object: string, { service, ...issue }: SliceIssue): ValidationIssue[] {
  const [kind = '', key = ''] = object.split(' ');
  const issues = new IssueCollector(kind, key);
  issues.add({ ...issue, service: service.key });
  return issues.all;
}

const SELECTS_NOTHING = 'its selector matches no pods, or the controller that writes EndpointSlices has not run';
const NO_SELECTOR = 'it has no selector, so none is written for it';

/** The state of a Service port in one family. */
interface PortState {
  readonly port: ServicePort;
  readonly family: Family;
  readonly slices: Iterable<EndpointSlice>;
  /** How many endpoints the port has, usable or not. */
  readonly backends: number;
}

/** Why a port has no usable endpoint, for operators. */
export function whyWithoutEndpoints(
  { key, hasSelector }: Pick<Service, 'key' | 'hasSelector'>,
  state: PortState,
): string {
  const { port, family, backends } = state;
  if (backends > 0) return backends === 1 ? 'its endpoint is not ready' : `none of its ${backends} endpoints is ready`;
  const slices = [...state.slices];
  if (slices.length === 0)
    return `no usable EndpointSlice has the label ${SERVICE_LABEL}=${nameOf(key)}: ${hasSelector ? SELECTS_NOTHING : NO_SELECTOR}`;
  const ofFamily = slices.filter((slice) => slice.family === family);
  if (ofFamily.length === 0) return `no EndpointSlice has the addressType ${FAMILY_TRAITS[family].label}`;
  const filled = ofFamily.filter(({ endpoints }) => endpoints.length > 0);
  if (filled.length === 0) return 'its EndpointSlices have no usable endpoints';
  return `no EndpointSlice with endpoints has port ${describePort(port)}`;
}
