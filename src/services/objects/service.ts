// A Service as this project sees it, and how it is read from the API's object.
import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { validateEnumFields } from './enum-fields.ts';
import {
  asArray,
  asObject,
  asString,
  IssueCollector,
  isShortName,
  type JsonObject,
  type ReadResult,
  readKey,
  readUnnamed,
} from './read.ts';

/** Where traffic may go: to every endpoint, or only to those of this node. */
export type TrafficPolicy = 'Cluster' | 'Local';

export interface ServicePort {
  /** Empty for the only port of a Service that leaves it out. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
}

/**
 * How an endpoint is chosen for a new flow: at random; by the client's address; or by the client's address in a way
 * that is the same on every node and moves few clients when endpoints come and go.
 */
export type BalanceAlgorithm = 'random' | 'source-hash' | 'maglev';

/** The annotation that chooses a {@link BalanceAlgorithm}. */
export const BALANCE_ANNOTATION = 'nftlane.io/balance';
/** The annotation that gives single endpoints another share, as `ADDRESS=WEIGHT` separated by commas. */
export const WEIGHTS_ANNOTATION = 'nftlane.io/weights';
/** Enough for a canary of one in a hundred. */
const MAX_WEIGHT = 100;

/** A Service that is proxied. Those that are not (headless, ExternalName, other proxy) never become one. */
export interface Service {
  /** `namespace/name`. */
  readonly key: string;
  /** Milliseconds since 1970; {@link UNKNOWN_CREATION_TIME} when the object does not say. */
  readonly createdAt: number;
  readonly type: string;
  readonly clusterIps: Readonly<Partial<Record<Family, Address>>>;
  readonly externalIps: readonly Address[];
  /** Load balancer ingress addresses that are proxied here (ipMode VIP). */
  readonly loadBalancerIps: readonly Address[];
  readonly ports: readonly ServicePort[];
  readonly internalTrafficPolicy: TrafficPolicy;
  /** Effective: `Local` only where the type of the Service gives it a meaning. */
  readonly externalTrafficPolicy: TrafficPolicy;
  /** Seconds that a client sticks to its endpoint; 0 for no affinity. */
  readonly affinitySeconds: number;
  /** Who may connect to the load balancer addresses. Whether that is everybody: see {@link sourceRangesOf}. */
  readonly loadBalancerSourceRanges: readonly Prefix[];
  /** Source ranges were given, usable or not. */
  readonly hasSourceRanges: boolean;
  readonly balance: BalanceAlgorithm;
  /** Shares of single endpoints by address, relative to 1, which all others have; 0 for none. */
  readonly weights: Readonly<Record<Address, number>>;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
}

/** Sorts behind every known creation time: an object that cannot show its age never takes a frontend from one that can. */
export const UNKNOWN_CREATION_TIME = Number.MAX_SAFE_INTEGER;

/** The label by which a Service asks for another proxy (KEP-2447). */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/** ClientIP affinity without a configured timeout lasts three hours, the API's default. */
const DEFAULT_AFFINITY_SECONDS = 10800;

/** Reads a `v1 Service`. */
export function readService(object: unknown): ReadResult<Service> {
  const { metadata: rawMetadata, spec: rawSpec, status } = asObject(object);
  const metadata = asObject(rawMetadata);
  const spec = asObject(rawSpec);
  const key = readKey(metadata, { namespaced: true, short: true });
  if (key === '') return readUnnamed('Service', metadata, { short: true });
  const issues = new IssueCollector('Service', key);
  const skipped = skipReason(metadata, spec);
  if (skipped !== undefined) return { key, skipped, issues: [] };

  const clusterIps = readClusterIps(spec, issues);
  if (Object.keys(clusterIps).length === 0) return { key, skipped: 'it has no cluster IP', issues: issues.all };
  const externalIps = readAddresses(asArray(spec['externalIPs']), (index) => `spec.externalIPs[${index}]`, issues);
  validateEnumFields(spec, issues);
  const type = asString(spec['type']) || 'ClusterIP';
  const externalTrafficPolicy = effectiveExternalTrafficPolicy(spec, type, externalIps);
  const value: Service = {
    key,
    createdAt: Date.parse(asString(metadata['creationTimestamp'])) || UNKNOWN_CREATION_TIME,
    type,
    clusterIps,
    externalIps,
    loadBalancerIps: readIngress(asObject(asObject(status)['loadBalancer'])['ingress'], issues),
    ports: readPorts(spec['ports'], issues),
    internalTrafficPolicy: spec['internalTrafficPolicy'] === 'Local' ? 'Local' : 'Cluster',
    externalTrafficPolicy,
    affinitySeconds: readAffinity(spec, issues),
    loadBalancerSourceRanges: readSourceRanges(spec['loadBalancerSourceRanges'], issues),
    hasSourceRanges: asArray(spec['loadBalancerSourceRanges']).some((range) => asString(range).trim() !== ''),
    balance: readBalance(asObject(metadata['annotations']), issues),
    weights: readWeights(asObject(metadata['annotations']), issues),
    healthCheckNodePort:
      type === 'LoadBalancer' && externalTrafficPolicy === 'Local' ? readHealthCheckPort(spec, issues) : 0,
  };
  return { key, value, issues: issues.all };
}

function skipReason(metadata: JsonObject, spec: JsonObject): string | undefined {
  const proxy = asObject(metadata['labels'])[PROXY_NAME_LABEL];
  if (proxy !== undefined) return `it asks for another proxy (label ${PROXY_NAME_LABEL})`;
  if (spec['type'] === 'ExternalName') return 'it is of type ExternalName';
  if (spec['clusterIP'] === 'None') return 'it is headless';
  return undefined;
}

/** The cluster IP of each family: by position in `ipFamilies`, or the one `clusterIP` of objects older than dual stack. */
function readClusterIps(spec: JsonObject, issues: IssueCollector): Partial<Record<Family, Address>> {
  const single = asString(spec['clusterIP']);
  const all = asArray(spec['clusterIPs']).map(asString);
  const ipFamilies = asArray(spec['ipFamilies']);
  const candidates =
    ipFamilies.length > 0 && all.length > 0 ? all.slice(0, ipFamilies.length) : [single || (all[0] ?? '')];
  if (ipFamilies.length === 0 && all.length > 1) {
    const effect = `${candidates[0]} alone is served`;
    issues.add('spec.ipFamilies', spec['ipFamilies'], 'must name the family of each of spec.clusterIPs', effect);
  }
  const clusterIps: Partial<Record<Family, Address>> = {};
  for (const [index, candidate] of candidates.entries()) {
    if (candidate === '' || candidate === 'None') continue;
    const field = candidates === all || all.length > 0 ? `spec.clusterIPs[${index}]` : 'spec.clusterIP';
    const address = parseAddress(candidate);
    if (address === undefined) {
      issues.add(field, candidate, 'is not an IP address', 'this cluster IP is left out');
    } else {
      clusterIps[familyOf(address)] ??= address;
    }
  }
  return clusterIps;
}

function readPorts(value: unknown, issues: IssueCollector): ServicePort[] {
  const ports: ServicePort[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, entry] of asArray(value).entries()) {
    const port = readPort(asObject(entry), `spec.ports[${index}]`, issues);
    if (port === undefined) continue;
    const byName = `${port.name} ${port.protocol}`;
    const byNumber = `${port.port} ${port.protocol}`;
    if (names.has(byName) || numbers.has(byNumber)) {
      issues.add(`spec.ports[${index}]`, entry, 'repeats the name or number of a port before it', PORT_IGNORED);
      continue;
    }
    names.add(byName);
    numbers.add(byNumber);
    const byNodePort = `${port.nodePort} ${port.protocol}`;
    const repeats = port.nodePort !== 0 && nodePorts.has(byNodePort);
    if (repeats) {
      const field = `spec.ports[${index}].nodePort`;
      issues.add(field, port.nodePort, 'repeats the node port of a port before it', 'this node port is left out');
    }
    nodePorts.add(byNodePort);
    ports.push(repeats ? { ...port, nodePort: 0 } : port);
  }
  return ports;
}

const PORT_IGNORED = 'this port is left out';

function readPort(port: JsonObject, path: string, issues: IssueCollector): ServicePort | undefined {
  const name = asString(port['name']);
  const protocol = parseProtocol(asString(port['protocol']) || 'TCP');
  const nodePort = port['nodePort'] ?? 0;
  if (name !== '' && !isShortName(name)) {
    issues.add(`${path}.name`, port['name'], 'is not a valid port name', PORT_IGNORED);
  } else if (protocol === undefined) {
    issues.add(`${path}.protocol`, port['protocol'], 'must be TCP, UDP or SCTP', PORT_IGNORED);
  } else if (!isPort(port['port'])) {
    issues.add(`${path}.port`, port['port'], 'must be a whole number from 1 to 65535', PORT_IGNORED);
  } else if (nodePort !== 0 && !isPort(nodePort)) {
    issues.add(`${path}.nodePort`, nodePort, 'must be a whole number from 1 to 65535', 'this node port is left out');
    return { name, protocol, port: port['port'], nodePort: 0 };
  } else {
    return { name, protocol, port: port['port'], nodePort };
  }
  return undefined;
}

/** A port number that fits the wire. */
export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

function readAddresses(
  values: readonly unknown[],
  fieldOf: (index: number) => string,
  issues: IssueCollector,
): Address[] {
  const addresses = new Set<Address>();
  for (const [index, entry] of values.entries()) {
    const trimmed = asString(entry).trim();
    if (trimmed === '') continue;
    const address = parseAddress(trimmed);
    if (address === undefined) issues.add(fieldOf(index), entry, 'is not an IP address', 'this address is left out');
    else addresses.add(address);
  }
  return [...addresses];
}

/** Addresses with ipMode VIP or none; with any other mode traffic really leaves to the load balancer (KEP-1860). */
function readIngress(value: unknown, issues: IssueCollector): Address[] {
  const ips = asArray(value).map((entry) => {
    const { ip, ipMode = null } = asObject(entry);
    return ipMode === null || ipMode === 'VIP' ? ip : '';
  });
  return readAddresses(ips, (index) => `status.loadBalancer.ingress[${index}].ip`, issues);
}

function effectiveExternalTrafficPolicy(
  spec: JsonObject,
  type: string,
  externalIps: readonly Address[],
): TrafficPolicy {
  const isExternallyReachable =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIps.length > 0);
  return isExternallyReachable && spec['externalTrafficPolicy'] === 'Local' ? 'Local' : 'Cluster';
}

function readHealthCheckPort({ healthCheckNodePort: port }: JsonObject, issues: IssueCollector): number {
  if (isPort(port)) return port;
  const effect = 'no load balancer can ask whether this node has endpoints';
  issues.add('spec.healthCheckNodePort', port, 'must be a whole number from 1 to 65535', effect);
  return 0;
}

function readAffinity(spec: JsonObject, issues: IssueCollector): number {
  if (spec['sessionAffinity'] !== 'ClientIP') return 0;
  const seconds = asObject(asObject(spec['sessionAffinityConfig'])['clientIP'])['timeoutSeconds'];
  if (seconds === undefined || seconds === null) return DEFAULT_AFFINITY_SECONDS;
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= 86400) return seconds;
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  issues.add(field, seconds, 'must be a whole number from 1 to 86400', `${DEFAULT_AFFINITY_SECONDS} holds`);
  return DEFAULT_AFFINITY_SECONDS;
}

function readSourceRanges(value: unknown, issues: IssueCollector): Prefix[] {
  const ranges: Prefix[] = [];
  for (const [index, entry] of asArray(value).entries()) {
    const trimmed = asString(entry).trim();
    if (trimmed === '') continue;
    const prefix = parsePrefix(trimmed);
    const field = `spec.loadBalancerSourceRanges[${index}]`;
    if (prefix === undefined) issues.add(field, entry, 'is not a CIDR block', 'this range is left out');
    else ranges.push(prefix);
  }
  return ranges;
}

function readBalance(annotations: JsonObject, issues: IssueCollector): BalanceAlgorithm {
  const value = annotations[BALANCE_ANNOTATION] ?? 'random';
  if (value === 'random' || value === 'source-hash' || value === 'maglev') return value;
  const field = `metadata.annotations["${BALANCE_ANNOTATION}"]`;
  issues.add(field, value, 'must be random, source-hash or maglev', 'random holds');
  return 'random';
}

function readWeights(annotations: JsonObject, issues: IssueCollector): Record<Address, number> {
  const weights: Record<Address, number> = {};
  const value = annotations[WEIGHTS_ANNOTATION];
  for (const entry of asString(value).split(',')) {
    const [left = '', right = '', ...rest] = entry.split('=').map((part) => part.trim());
    if (left === '' && right === '') continue;
    const address = parseAddress(left);
    const weight = /^\d{1,3}$/.test(right) && rest.length === 0 ? Number(right) : undefined;
    if (address !== undefined && weight !== undefined && weight <= MAX_WEIGHT) {
      weights[address] = weight;
    } else {
      const reason = `must be an IP address, "=" and a whole number from 0 to ${MAX_WEIGHT}`;
      issues.add(`metadata.annotations["${WEIGHTS_ANNOTATION}"]`, entry.trim(), reason, 'this weight is left out');
    }
  }
  return weights;
}

/**
 * The source ranges of a family, or `open` for everybody: when none are given, one is the whole family, or none can be
 * used in this family. The last is what kube-proxy does; `strict` closes the family instead.
 */
export function sourceRangesOf(
  service: Service,
  family: Family,
  { strict }: { strict: boolean },
): 'open' | readonly Prefix[] {
  const ranges = service.loadBalancerSourceRanges.filter((range) => range.family === family);
  if (ranges.some((range) => range.length === 0)) return 'open';
  return ranges.length > 0 || (strict && service.hasSourceRanges) ? ranges : 'open';
}

/** The families that a Service has a cluster IP in: in the others it does not exist. */
export function familiesOf(service: Service): Family[] {
  return FAMILIES.filter((family) => service.clusterIps[family] !== undefined);
}
