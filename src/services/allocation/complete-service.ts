// Completes Services with what an API server would fill in.

import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { IssueCollector, type ReadResult } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ClusterIpAssignment } from './cluster-ip-assignment.ts';

/** Why there is no cluster IP. */
export const NO_CLUSTER_IP = 'an API server would assign it';

/** The Service with its family, if it names none. */
export function withDefaultFamily(service: Service, primary: Family): Service {
  return service.families.length === 0 ? { ...service, families: [primary] } : service;
}

/** The families of the Service without a cluster IP. */
export function familiesWithoutClusterIp({ families, clusterIps }: Service): Family[] {
  return families.filter((family) => clusterIps[family] === undefined);
}

/** The Service without assigned cluster IPs, as it was given. */
export function withoutAssignedIps(service: Service): Service {
  if (service.assignedFamilies.length === 0) return service;
  const clusterIps = { ...service.clusterIps };
  for (const family of service.assignedFamilies) delete clusterIps[family];
  return { ...service, clusterIps, assignedFamilies: [] };
}

/** The Service with the cluster IPs that are assigned to it, and with an issue for each range without a free address. */
export function withAssignedIps(object: ReadResult<Service>, assignment: ClusterIpAssignment): ReadResult<Service> {
  const { value, issues } = object;
  if (value === undefined) return object;
  const assigned = assignment.ipsOf(value.key);
  const collector = new IssueCollector('Service', value.key);
  for (const { text, family } of assignment.fullRangesOf(value.key)) {
    const effect = `no ${FAMILY_TRAITS[family].label} cluster IP`;
    collector.add({ field: 'spec.clusterIP', value: undefined, reason: `no address of ${text} is free`, effect });
  }
  const clusterIps = { ...value.clusterIps, ...assigned };
  const assignedFamilies = value.families.filter((family) => assigned[family] !== undefined);
  return { ...object, value: { ...value, clusterIps, assignedFamilies }, issues: [...issues, ...collector.all] };
}

/** Reports a Service that has nothing that can be served, unless an invalid cluster IP is reported already. */
export function reportUnserved(object: ReadResult<Service>): ReadResult<Service> {
  const { value, issues } = object;
  if (value === undefined || hasFrontend(value)) return object;
  if (issues.some(({ field }) => field.startsWith('spec.clusterIP'))) return object;
  const collector = new IssueCollector('Service', value.key);
  const effect = 'nothing of this Service is served';
  collector.add({ field: 'spec.clusterIP', value: undefined, reason: NO_CLUSTER_IP, effect });
  return { ...object, issues: [...issues, ...collector.all] };
}

function hasFrontend({ clusterIps, externalIps, loadBalancerIps, ports }: Service): boolean {
  const addresses = [...Object.values(clusterIps), ...externalIps, ...loadBalancerIps];
  return addresses.length > 0 || ports.some(({ nodePort }) => nodePort !== 0);
}
