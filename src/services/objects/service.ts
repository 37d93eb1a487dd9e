// Services, as read from the API.

import { type Address, familyOf } from '../../net/address.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { type BalanceAlgorithm, readBalance, readWeights } from './balance-annotations.ts';
import { validateEnumFields } from './enum-fields.ts';
import {
  asArray,
  asObject,
  asString,
  IssueCollector,
  type JsonObject,
  type ReadResult,
  readAddress,
  readKey,
  readUnnamed,
} from './read.ts';
import { ALLOCATED_BY_API_SERVER, isPort, readServicePorts, type ServicePort } from './service-ports.ts';
import { readSourceRanges, type SourceRanges } from './source-ranges.ts';

/** Whether traffic may go to all endpoints or only to those of this node. */
export type TrafficPolicy = 'Cluster' | 'Local';

/** A Service that nftlane proxies: not headless, not ExternalName, and without another proxy. */
export interface Service extends SourceRanges {
  /** `namespace/name`. */
  readonly key: string;
  /** Milliseconds since 1970, or {@link UNKNOWN_CREATION_TIME}. */
  readonly createdAt: number;
  readonly type: string;
  /** A controller writes its EndpointSlices. */
  readonly hasSelector: boolean;
  /** Those that it names, or has addresses of; empty if it leaves the choice to the API server. */
  readonly families: readonly Family[];
  /** A family can lack one: only an API server assigns them. */
  readonly clusterIps: Readonly<Partial<Record<Family, Address>>>;
  /** The families whose cluster IP nftlane has assigned. */
  readonly assignedFamilies: readonly Family[];
  readonly externalIps: readonly Address[];
  /** Load balancer ingress addresses with ipMode VIP. */
  readonly loadBalancerIps: readonly Address[];
  readonly ports: readonly ServicePort[];
  readonly internalTrafficPolicy: TrafficPolicy;
  /** `Local` only if the type of the Service supports it. */
  readonly externalTrafficPolicy: TrafficPolicy;
  /** The session affinity timeout; 0 without session affinity. */
  readonly affinitySeconds: number;
  readonly balance: BalanceAlgorithm;
  /** Weights of endpoints by address; the default is 1, and 0 excludes an endpoint. */
  readonly weights: Readonly<Record<Address, number>>;
  /** 0 without one. */
  readonly healthCheckNodePort: number;
}

/** Later than any known time: an object of unknown age must not take a frontend from another one. */
export const UNKNOWN_CREATION_TIME = Number.MAX_SAFE_INTEGER;

/** Selects another proxy for a Service (KEP-2447). */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

/** The API's default timeout of ClientIP affinity, three hours. */
const DEFAULT_AFFINITY_SECONDS = 10800;

/** Reads a `v1 Service`. */
export function readService(object: unknown): ReadResult<Service> {
  const { metadata: rawMetadata, spec: rawSpec, status } = asObject(object);
  const metadata = asObject(rawMetadata);
  const spec = asObject(rawSpec);
  const annotations = asObject(metadata['annotations']);
  const key = readKey(metadata, { namespaced: true, short: true });
  if (key === '') return readUnnamed('Service', metadata, { short: true });
  const issues = new IssueCollector('Service', key);
  const skipped = skipReason(metadata, spec);
  if (skipped !== undefined) {
    const reserved = Object.values(readClusterIps(spec, issues));
    return { key, skipped, ...(reserved.length === 0 ? {} : { reserved }), issues: [] };
  }

  const clusterIps = readClusterIps(spec, issues);
  const externalIps = readAddresses(asArray(spec['externalIPs']), (index) => `spec.externalIPs[${index}]`, issues);
  validateEnumFields(spec, issues);
  const type = asString(spec['type']) || 'ClusterIP';
  const externalTrafficPolicy = effectiveExternalTrafficPolicy(spec, type, externalIps);
  const loadBalancerIps = readIngress(asObject(asObject(status)['loadBalancer'])['ingress'], issues);
  const value: Service = {
    key,
    createdAt: Date.parse(asString(metadata['creationTimestamp'])) || UNKNOWN_CREATION_TIME,
    type,
    hasSelector: Object.keys(asObject(spec['selector'])).length > 0,
    families: readFamilies(spec, { clusterIps, otherIps: [...externalIps, ...loadBalancerIps] }, issues),
    clusterIps,
    assignedFamilies: [],
    externalIps,
    loadBalancerIps,
    ports: readServicePorts(spec, issues),
    internalTrafficPolicy: spec['internalTrafficPolicy'] === 'Local' ? 'Local' : 'Cluster',
    externalTrafficPolicy,
    affinitySeconds: readAffinity(spec, issues),
    ...readSourceRanges(spec['loadBalancerSourceRanges'], issues),
    balance: readBalance(annotations, issues),
    weights: readWeights(annotations, issues),
    healthCheckNodePort:
      type === 'LoadBalancer' && externalTrafficPolicy === 'Local' ? readHealthCheckPort(spec, issues) : 0,
  };
  return { key, value, issues: issues.all };
}

function skipReason(metadata: JsonObject, spec: JsonObject): string | undefined {
  const proxy = asObject(metadata['labels'])[PROXY_NAME_LABEL];
  if (proxy !== undefined) return `it selects another proxy (label ${PROXY_NAME_LABEL})`;
  if (spec['type'] === 'ExternalName') return 'it is of type ExternalName, a DNS name without addresses';
  const isHeadless = spec['clusterIP'] === 'None' || asArray(spec['clusterIPs'])[0] === 'None';
  return isHeadless
    ? 'it is headless (spec.clusterIP is None): clients connect to its endpoints themselves'
    : undefined;
}

/**
 * The families of a Service as the API server would set them, if the Service determines them: a file may have nothing but a
 * policy, or nothing but addresses.
 */
function readFamilies(
  spec: JsonObject,
  { clusterIps, otherIps }: { clusterIps: Service['clusterIps']; otherIps: readonly Address[] },
  issues: IssueCollector,
): Family[] {
  const policy = spec['ipFamilyPolicy'];
  const isDualStack = policy === 'PreferDualStack' || policy === 'RequireDualStack';
  const named = asArray(spec['ipFamilies']).flatMap((label, index) => {
    const family = FAMILIES.find((candidate) => FAMILY_TRAITS[candidate].label === label);
    if (family === undefined) issues.add({ field: `spec.ipFamilies[${index}]`, value: label, ...UNKNOWN_FAMILY });
    return family ?? [];
  });
  const ofClusterIps = FAMILIES.filter((family) => clusterIps[family] !== undefined);
  const determined = [...named, ...ofClusterIps];
  if (named.length === 0 && isDualStack) return [...FAMILIES];
  const found = determined.length > 0 ? determined : otherIps.map(familyOf);
  return FAMILIES.filter((family) => found.includes(family));
}

const UNKNOWN_FAMILY = { reason: 'must be IPv4 or IPv6', effect: 'ignoring this family' };

/** The cluster IP of each family: by position in `ipFamilies`, or only `clusterIP` for objects older than dual stack. */
function readClusterIps(spec: JsonObject, issues: IssueCollector): Partial<Record<Family, Address>> {
  const single = asString(spec['clusterIP']);
  const all = asArray(spec['clusterIPs']).map(asString);
  const ipFamilies = asArray(spec['ipFamilies']);
  const candidates =
    ipFamilies.length > 0 && all.length > 0 ? all.slice(0, ipFamilies.length) : [single || (all[0] ?? '')];
  if (ipFamilies.length === 0 && all.length > 1) {
    const effect = `serving ${candidates[0]} only`;
    issues.add({
      field: 'spec.ipFamilies',
      value: spec['ipFamilies'],
      reason: 'must name the family of each of spec.clusterIPs',
      effect,
    });
  }
  const clusterIps: Partial<Record<Family, Address>> = {};
  for (const [index, candidate] of candidates.entries()) {
    if (candidate === '' || candidate === 'None') continue;
    const field = candidates === all || all.length > 0 ? `spec.clusterIPs[${index}]` : 'spec.clusterIP';
    const effect = 'ignoring this cluster IP';
    // The API server accepts any address inside a ServiceCIDR, which can be link-local.
    const address = readAddress(candidate, issues, { field, effect, allowed: ['link-local'] });
    if (address === undefined) continue;
    if (clusterIps[familyOf(address)] === undefined) clusterIps[familyOf(address)] = address;
    else issues.add({ field, value: candidate, reason: 'is a second address of its family', effect });
  }
  return clusterIps;
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
    const address = readAddress(trimmed, issues, { field: fieldOf(index), effect: 'ignoring this address' });
    if (address !== undefined) addresses.add(address);
  }
  return [...addresses];
}

/** Addresses with ipMode VIP or none. With other modes, traffic must go to the load balancer (KEP-1860). */
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
  const effect = 'load balancers cannot check whether this node has endpoints';
  const reason = (port ?? 0) === 0 ? ALLOCATED_BY_API_SERVER : 'must be a whole number from 1 to 65535';
  issues.add({ field: 'spec.healthCheckNodePort', value: port, reason, effect });
  return 0;
}

function readAffinity(spec: JsonObject, issues: IssueCollector): number {
  if (spec['sessionAffinity'] !== 'ClientIP') return 0;
  const seconds = asObject(asObject(spec['sessionAffinityConfig'])['clientIP'])['timeoutSeconds'];
  if (seconds === undefined || seconds === null) return DEFAULT_AFFINITY_SECONDS;
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= 86400) return seconds;
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  issues.add({
    field,
    value: seconds,
    reason: 'must be a whole number from 1 to 86400',
    effect: `using ${DEFAULT_AFFINITY_SECONDS}`,
  });
  return DEFAULT_AFFINITY_SECONDS;
}
