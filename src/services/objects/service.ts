// A Service as this project sees it, and how it is read from the API's object.
import { type Address, familyOf, parseAddress } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { type Fields, Findings, fields, isShortName, list, type Read, readKey, readNameless, text } from './read.ts';
import { checkWords } from './service-words.ts';

/** Where traffic may go: to every endpoint, or only to those of this node. */
export type Policy = 'Cluster' | 'Local';

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
export type Balance = 'random' | 'source-hash' | 'maglev';

/** The annotation that chooses a {@link Balance}. */
export const BALANCE_ANNOTATION = 'nftlane.io/balance';
/** The annotation that gives single endpoints another share, as `ADDRESS=WEIGHT` separated by commas. */
export const WEIGHTS_ANNOTATION = 'nftlane.io/weights';
/** Enough for a canary of one in a hundred. */
const MAX_WEIGHT = 100;

/** A Service that is proxied. Those that are not (headless, ExternalName, other proxy) never become one. */
export interface Service {
  /** `namespace/name`. */
  readonly key: string;
  /** Milliseconds since 1970; {@link UNKNOWN_AGE} when the object does not say. */
  readonly createdAt: number;
  readonly type: string;
  readonly clusterIps: Readonly<Partial<Record<Family, Address>>>;
  readonly externalIps: readonly Address[];
  /** Load balancer ingress addresses that are proxied here (ipMode VIP). */
  readonly loadBalancerIps: readonly Address[];
  readonly ports: readonly ServicePort[];
  readonly internalPolicy: Policy;
  /** Effective: `Local` only where the type of the Service gives it a meaning. */
  readonly externalPolicy: Policy;
  /** Seconds that a client sticks to its endpoint; 0 for no affinity. */
  readonly affinitySeconds: number;
  /** Who may connect to the load balancer addresses. Whether that is everybody: see {@link rangesOf}. */
  readonly sourceRanges: readonly Prefix[];
  /** Source ranges were given, usable or not. */
  readonly restricted: boolean;
  readonly balance: Balance;
  /** Shares of single endpoints by address, relative to 1, which all others have; 0 for none. */
  readonly weights: Readonly<Record<Address, number>>;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
}

/** Sorts behind every known creation time: an object that cannot show its age never takes a frontend from one that can. */
export const UNKNOWN_AGE = Number.MAX_SAFE_INTEGER;

/** The label by which a Service asks for another proxy (KEP-2447). */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/** ClientIP affinity without a configured timeout lasts three hours, the API's default. */
const DEFAULT_AFFINITY_SECONDS = 10800;

/** Reads a `v1 Service`. */
export function readService(object: unknown): Read<Service> {
  const { metadata: meta, spec: specification, status } = fields(object);
  const metadata = fields(meta);
  const spec = fields(specification);
  const key = readKey(metadata, { namespaced: true, short: true });
  if (key === '') return readNameless('Service', metadata, { short: true });
  const findings = new Findings('Service', key);
  const skipped = skipReason(metadata, spec);
  if (skipped !== undefined) return { key, skipped, findings: [] };

  const clusterIps = readClusterIps(spec, findings);
  if (Object.keys(clusterIps).length === 0) return { key, skipped: 'it has no cluster IP', findings: findings.all };
  const externalIps = readAddresses(list(spec['externalIPs']), (index) => `spec.externalIPs[${index}]`, findings);
  checkWords(spec, findings);
  const type = text(spec['type']) || 'ClusterIP';
  const externalPolicy = effectiveExternalPolicy(spec, type, externalIps);
  const value: Service = {
    key,
    createdAt: Date.parse(text(metadata['creationTimestamp'])) || UNKNOWN_AGE,
    type,
    clusterIps,
    externalIps,
    loadBalancerIps: readIngress(fields(fields(status)['loadBalancer'])['ingress'], findings),
    ports: readPorts(spec['ports'], findings),
    internalPolicy: spec['internalTrafficPolicy'] === 'Local' ? 'Local' : 'Cluster',
    externalPolicy,
    affinitySeconds: readAffinity(spec, findings),
    sourceRanges: readSourceRanges(spec['loadBalancerSourceRanges'], findings),
    restricted: list(spec['loadBalancerSourceRanges']).some((range) => text(range).trim() !== ''),
    balance: readBalance(fields(metadata['annotations']), findings),
    weights: readWeights(fields(metadata['annotations']), findings),
    healthCheckNodePort:
      type === 'LoadBalancer' && externalPolicy === 'Local' ? readHealthCheckPort(spec, findings) : 0,
  };
  return { key, value, findings: findings.all };
}

function skipReason(metadata: Fields, spec: Fields): string | undefined {
  const proxy = fields(metadata['labels'])[PROXY_NAME_LABEL];
  if (proxy !== undefined) return `it asks for another proxy (label ${PROXY_NAME_LABEL})`;
  if (spec['type'] === 'ExternalName') return 'it is of type ExternalName';
  if (spec['clusterIP'] === 'None') return 'it is headless';
  return undefined;
}

/** The cluster IP of each family: by position in `ipFamilies`, or the one `clusterIP` of objects older than dual stack. */
function readClusterIps(spec: Fields, findings: Findings): Partial<Record<Family, Address>> {
  const single = text(spec['clusterIP']);
  const all = list(spec['clusterIPs']).map(text);
  const ipFamilies = list(spec['ipFamilies']);
  const candidates =
    ipFamilies.length > 0 && all.length > 0 ? all.slice(0, ipFamilies.length) : [single || (all[0] ?? '')];
  if (ipFamilies.length === 0 && all.length > 1) {
    const effect = `${candidates[0]} alone is served`;
    findings.add('spec.ipFamilies', spec['ipFamilies'], 'must name the family of each of spec.clusterIPs', effect);
  }
  const clusterIps: Partial<Record<Family, Address>> = {};
  for (const [index, candidate] of candidates.entries()) {
    if (candidate === '' || candidate === 'None') continue;
    const field = candidates === all || all.length > 0 ? `spec.clusterIPs[${index}]` : 'spec.clusterIP';
    const address = parseAddress(candidate);
    if (address === undefined) {
      findings.add(field, candidate, 'is not an IP address', 'this cluster IP is left out');
    } else {
      clusterIps[familyOf(address)] ??= address;
    }
  }
  return clusterIps;
}

function readPorts(value: unknown, findings: Findings): ServicePort[] {
  const ports: ServicePort[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, entry] of list(value).entries()) {
    const port = readPort(fields(entry), `spec.ports[${index}]`, findings);
    if (port === undefined) continue;
    const byName = `${port.name} ${port.protocol}`;
    const byNumber = `${port.port} ${port.protocol}`;
    if (names.has(byName) || numbers.has(byNumber)) {
      findings.add(`spec.ports[${index}]`, entry, 'repeats the name or number of a port before it', LEFT_OUT);
      continue;
    }
    names.add(byName);
    numbers.add(byNumber);
    const byNodePort = `${port.nodePort} ${port.protocol}`;
    const repeats = port.nodePort !== 0 && nodePorts.has(byNodePort);
    if (repeats) {
      const field = `spec.ports[${index}].nodePort`;
      findings.add(field, port.nodePort, 'repeats the node port of a port before it', 'this node port is left out');
    }
    nodePorts.add(byNodePort);
    ports.push(repeats ? { ...port, nodePort: 0 } : port);
  }
  return ports;
}

const LEFT_OUT = 'this port is left out';

function readPort(port: Fields, path: string, findings: Findings): ServicePort | undefined {
  const name = text(port['name']);
  const protocol = parseProtocol(text(port['protocol']) || 'TCP');
  const nodePort = port['nodePort'] ?? 0;
  if (name !== '' && !isShortName(name)) {
    findings.add(`${path}.name`, port['name'], 'is not a valid port name', LEFT_OUT);
  } else if (protocol === undefined) {
    findings.add(`${path}.protocol`, port['protocol'], 'must be TCP, UDP or SCTP', LEFT_OUT);
  } else if (!isPort(port['port'])) {
    findings.add(`${path}.port`, port['port'], 'must be a whole number from 1 to 65535', LEFT_OUT);
  } else if (nodePort !== 0 && !isPort(nodePort)) {
    findings.add(`${path}.nodePort`, nodePort, 'must be a whole number from 1 to 65535', 'this node port is left out');
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

function readAddresses(values: readonly unknown[], fieldOf: (index: number) => string, findings: Findings): Address[] {
  const addresses = new Set<Address>();
  for (const [index, entry] of values.entries()) {
    const trimmed = text(entry).trim();
    if (trimmed === '') continue;
    const address = parseAddress(trimmed);
    if (address === undefined) findings.add(fieldOf(index), entry, 'is not an IP address', 'this address is left out');
    else addresses.add(address);
  }
  return [...addresses];
}

/** Addresses with ipMode VIP or none; with any other mode traffic really leaves to the load balancer (KEP-1860). */
function readIngress(value: unknown, findings: Findings): Address[] {
  const ips = list(value).map((entry) => {
    const { ip, ipMode = null } = fields(entry);
    return ipMode === null || ipMode === 'VIP' ? ip : '';
  });
  return readAddresses(ips, (index) => `status.loadBalancer.ingress[${index}].ip`, findings);
}

function effectiveExternalPolicy(spec: Fields, type: string, externalIps: readonly Address[]): Policy {
  const meaningful = type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIps.length > 0);
  return meaningful && spec['externalTrafficPolicy'] === 'Local' ? 'Local' : 'Cluster';
}

function readHealthCheckPort({ healthCheckNodePort: port }: Fields, findings: Findings): number {
  if (isPort(port)) return port;
  const effect = 'no load balancer can ask whether this node has endpoints';
  findings.add('spec.healthCheckNodePort', port, 'must be a whole number from 1 to 65535', effect);
  return 0;
}

function readAffinity(spec: Fields, findings: Findings): number {
  if (spec['sessionAffinity'] !== 'ClientIP') return 0;
  const seconds = fields(fields(spec['sessionAffinityConfig'])['clientIP'])['timeoutSeconds'];
  if (seconds === undefined || seconds === null) return DEFAULT_AFFINITY_SECONDS;
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= 86400) return seconds;
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  findings.add(field, seconds, 'must be a whole number from 1 to 86400', `${DEFAULT_AFFINITY_SECONDS} holds`);
  return DEFAULT_AFFINITY_SECONDS;
}

function readSourceRanges(value: unknown, findings: Findings): Prefix[] {
  const ranges: Prefix[] = [];
  for (const [index, entry] of list(value).entries()) {
    const trimmed = text(entry).trim();
    if (trimmed === '') continue;
    const prefix = parsePrefix(trimmed);
    const field = `spec.loadBalancerSourceRanges[${index}]`;
    if (prefix === undefined) findings.add(field, entry, 'is not a CIDR block', 'this range is left out');
    else ranges.push(prefix);
  }
  return ranges;
}

function readBalance(annotations: Fields, findings: Findings): Balance {
  const value = annotations[BALANCE_ANNOTATION] ?? 'random';
  if (value === 'random' || value === 'source-hash' || value === 'maglev') return value;
  const field = `metadata.annotations["${BALANCE_ANNOTATION}"]`;
  findings.add(field, value, 'must be random, source-hash or maglev', 'random holds');
  return 'random';
}

function readWeights(annotations: Fields, findings: Findings): Record<Address, number> {
  const weights: Record<Address, number> = {};
  const value = annotations[WEIGHTS_ANNOTATION];
  for (const entry of text(value).split(',')) {
    const [left = '', right = '', ...rest] = entry.split('=').map((part) => part.trim());
    if (left === '' && right === '') continue;
    const address = parseAddress(left);
    const weight = /^\d{1,3}$/.test(right) && rest.length === 0 ? Number(right) : undefined;
    if (address !== undefined && weight !== undefined && weight <= MAX_WEIGHT) {
      weights[address] = weight;
    } else {
      const reason = `must be an IP address, "=" and a whole number from 0 to ${MAX_WEIGHT}`;
      findings.add(`metadata.annotations["${WEIGHTS_ANNOTATION}"]`, entry.trim(), reason, 'this weight is left out');
    }
  }
  return weights;
}

/**
 * The source ranges of a family, or `open` for everybody: when none are given, one is the whole family, or none can be
 * used in this family. The last is what kube-proxy does; `strict` closes the family instead.
 */
export function rangesOf(
  service: Service,
  family: Family,
  { strict }: { strict: boolean },
): 'open' | readonly Prefix[] {
  const ranges = service.sourceRanges.filter((range) => range.family === family);
  if (ranges.some((range) => range.length === 0)) return 'open';
  return ranges.length > 0 || (strict && service.restricted) ? ranges : 'open';
}

/** The families that a Service has a cluster IP in: in the others it does not exist. */
export function familiesOf(service: Service): Family[] {
  return FAMILIES.filter((family) => service.clusterIps[family] !== undefined);
}
