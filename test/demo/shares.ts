// Compares the connections that each pod answered with nft's counters.

import type { ServiceView } from '../../src/inspect/service-view.ts';
import { formatTable } from '../../src/lib/table.ts';
import { printAddressPort } from '../../src/net/address-port.ts';
import { NODES } from '../support/netns/topology.ts';
import type { DialReport, DialRequest } from '../support/netns/traffic/programs/messages.ts';
import type { World } from '../support/netns/world.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { bar, percent, type Report } from './report.ts';
import { type DemoService, DNS, WEB } from './services.ts';

/** Connections of one kind, all open at the same time: over UDP, a reused source port would be the same flow. */
const EACH = 60;

const KINDS = 'the client to the cluster IP and both node ports, a pod to the cluster IP';

type Counts = ReadonlyMap<string, number>;

/** Makes connections of every kind to both Services and compares the counts. */
export async function showShares(cluster: DemoCluster, report: Report): Promise<void> {
  const explanation = 'Every pod gets its share, and nft counts the connections of each pod.';
  report.section('Balancing', explanation);
  report.show(`${EACH} connections over IPv4 and ${EACH} over IPv6 from ${KINDS}.`);
  report.gap();
  const totals = { answered: 0, dialed: 0, agree: true, used: true };
  const rows: (string | number)[][] = [];
  for (const service of [WEB, DNS]) {
    const { pods, dialed } = await dialAll(cluster, service);
    const counted = await countedByNft(cluster, service);
    const answered = sum(pods);
    totals.answered += answered;
    totals.dialed += dialed;
    for (const pod of service.pods) {
      const count = pods.get(pod) ?? 0;
      const share = count / answered;
      totals.agree &&= counted.get(pod) === count;
      totals.used &&= count > 0;
      rows.push([service.name, pod, count, counted.get(pod) ?? 0, `${percent(share)}  ${bar(share)}`]);
    }
  }
  report.show(formatTable(['SERVICE', 'POD', 'ANSWERED', 'NFT COUNTED', 'SHARE'], rows));
  const { answered, dialed, agree, used } = totals;
  report.check(answered === dialed && used, `${answered} of ${dialed} connections answered, by all backends`);
  report.check(agree, "nft's counters agree with the pods, backend by backend");
}

/** Makes connections of every kind to a Service. */
async function dialAll(cluster: DemoCluster, service: DemoService): Promise<{ pods: Counts; dialed: number }> {
  const requests = (['ip', 'ip6'] as const).flatMap((family) => ways(service, family));
  const reports: DialReport[] = [];
  for (const { from, request } of requests) reports.push(await (await cluster.dialer(from)).dial(request));
  return { pods: sumByPod(reports), dialed: requests.length * EACH };
}

function ways({ at, port }: DemoService, family: 'ip' | 'ip6'): { from: 'client' | 'shell'; request: DialRequest }[] {
  const common = { protocol: port.protocol, count: EACH, concurrency: EACH, timeoutMs: 3000 };
  const toClusterIp = { ...common, address: at[family], port: port.port };
  const nodePorts = Object.values(NODES).map((node) => ({
    from: 'client' as const,
    request: { ...common, address: node[family], port: port.nodePort ?? 0 },
  }));
  return [{ from: 'client', request: toClusterIp }, { from: 'shell', request: toClusterIp }, ...nodePorts];
}

async function countedByNft(cluster: DemoCluster, service: DemoService): Promise<Counts> {
  const counts = new Map<string, number>();
  const endpoints = (await cluster.inspect(service)).flatMap(endpointsOf);
  for (const pod of service.pods) {
    const names = endpointNames(cluster.world, service, pod);
    const own = endpoints.filter(({ endpoint }) => names.includes(endpoint));
    counts.set(
      pod,
      own.reduce((total, { connections }) => total + connections, 0),
    );
  }
  return counts;
}

/** All endpoints in a node's view of a Service. */
export function endpointsOf({ ports }: ServiceView) {
  return ports.flatMap((port) => port.endpoints);
}

/** A pod's endpoints as `inspect` prints them, in both families. */
export function endpointNames(world: World, { port: { targetPort } }: DemoService, pod: string): string[] {
  const { ip, ip6 } = world.pod(pod);
  return [ip, ip6].map((address) => printAddressPort({ address, port: targetPort }));
}

function sumByPod(reports: readonly DialReport[]): Counts {
  const counts = new Map<string, number>();
  for (const [pod, count] of reports.flatMap(({ pods }) => Object.entries(pods))) {
    counts.set(pod, (counts.get(pod) ?? 0) + count);
  }
  return counts;
}

function sum(counts: Counts): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
