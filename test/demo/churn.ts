// Changes endpoints while connections are made, and counts lost connections.

import { setTimeout as delay } from 'node:timers/promises';
import { formatTable } from '../../src/lib/table.ts';
import type { Dialer, RunningDial } from '../support/netns/traffic/dialer-process.ts';
import type { DialReport, Target } from '../support/netns/traffic/programs/messages.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { Phases } from './phases.ts';
import type { Report } from './report.ts';
import { type DemoService, DNS, WEB } from './services.ts';
import { endpointNames, endpointsOf } from './shares.ts';

const PER_SECOND = 200;
/** How long a pod runs after its removal from the Service. */
const DRAIN_MS = 300;

/** A Service under traffic, and its changes. */
interface Flow {
  readonly service: DemoService;
  readonly target: Target;
  readonly dial: RunningDial;
  readonly phases: Phases;
  readonly addedPod: string;
  /** Empty when no pod is removed. */
  readonly removedPod: string;
}

/** Changes the endpoints of Services and shows that no connection is lost. */
export async function showChurn(cluster: DemoCluster, report: Report): Promise<void> {
  const rates = `${PER_SECOND} new connections a second over TCP and as many over UDP`;
  report.section('Change under traffic', `${rates}, while pods join and leave.`);
  report.gap();
  const client = await cluster.dialer('client');
  const kept = await client.keepConnection({ ...targetOf(WEB), everyMs: 5 });
  const [keptBy] = Object.keys((await kept.snapshot()).pods);
  const leaves = WEB.pods.find((pod) => pod !== keptBy) ?? '';
  const web = await startFlow(client, { service: WEB, addedPod: 'web-4', removedPod: leaves });
  const dns = await startFlow(client, { service: DNS, addedPod: 'dns-3', removedPod: '' });

  await Promise.all([web, dns].map(({ service, addedPod }) => cluster.addPod('node2', addedPod, service)));
  await runPhase([web, dns], 'BEFORE');
  for (const flow of [web, dns]) await showJoin(cluster, report, { client, flow });
  await runPhase([web, dns], 'JOINED');
  await removePod(cluster, web);
  report.show(`${leaves} left its Service, and was removed ${DRAIN_MS} ms later`);
  const removed = delay(DRAIN_MS).then(() => cluster.world.removePod(leaves));
  await Promise.all([runPhase([web, dns], 'LEFT'), removed]);

  const reports = await Promise.all([web, dns].map(({ dial }) => dial.stop()));
  const keptReport = await kept.stop();
  const rows = [web, dns].flatMap(({ service, addedPod, phases }) =>
    phases.rows(service.name, [...service.pods, addedPod]),
  );
  report.gap();
  report.show(formatTable(['SERVICE', 'POD', 'BEFORE', 'JOINED', '  LEFT'], rows));
  for (const flow of [web, dns]) checkShares(report, flow);
  checkNothingLost(report, reports);
  checkKeptConnection(report, keptReport);
}

async function startFlow(client: Dialer, flow: Pick<Flow, 'service' | 'addedPod' | 'removedPod'>): Promise<Flow> {
  const target = targetOf(flow.service);
  const dial = await client.dialAtRate({ ...target, perSecond: PER_SECOND });
  return { ...flow, target, dial, phases: new Phases(dial) };
}

async function runPhase(flows: readonly Flow[], name: string): Promise<void> {
  await Promise.all(flows.map(({ phases }) => phases.run(name)));
}

/** Adds a pod to a Service and reports the time until its first connection. */
async function showJoin(
  cluster: DemoCluster,
  report: Report,
  { client, flow: { service, addedPod, target } }: { client: Dialer; flow: Flow },
): Promise<void> {
  const start = performance.now();
  const elapsed = () => Math.round(performance.now() - start);
  await cluster.writeEndpoints(service, [...service.pods, addedPod]);
  let reached = false;
  while (!reached && elapsed() < 5000) {
    const { pods } = await client.dial({ ...target, count: 8, concurrency: 8 });
    reached = addedPod in pods;
  }
  const outcome = reached ? 'had its first connection' : 'still had no connection';
  report.show(`${addedPod} ${outcome} ${elapsed()} ms after it was written into ${service.name}'s endpoints`);
}

/** Removes a pod from its Service, and waits until no node uses it. */
async function removePod(cluster: DemoCluster, { service, addedPod, removedPod }: Flow): Promise<void> {
  const names = endpointNames(cluster.world, service, removedPod);
  const rest = [...service.pods, addedPod].filter((pod) => pod !== removedPod);
  await cluster.writeEndpoints(service, rest);
  for (let tries = 0; tries < 20; tries++) {
    const endpoints = (await cluster.inspect(service)).flatMap(endpointsOf);
    if (!endpoints.some(({ endpoint }) => names.includes(endpoint))) return;
  }
}

function checkShares(report: Report, { service, addedPod, removedPod, phases }: Flow): void {
  const backends = service.pods.length + (removedPod === '' ? 1 : 0);
  const relative = phases.share('LEFT', addedPod) * backends;
  report.check(relative > 0.5 && relative < 1.5, `${addedPod} had its share of ${service.name} once it had joined`);
  if (removedPod === '') return;
  report.check(phases.share('LEFT', removedPod) === 0, `${removedPod} had no new connection once it had left`);
}

function checkNothingLost(report: Report, reports: readonly DialReport[]): void {
  const count = (field: (report: DialReport) => number) => reports.reduce((sum, report) => sum + field(report), 0);
  const attempts = count((report) => report.attempts);
  const lost = attempts - count((report) => report.answered);
  const refused = count((report) => report.refused);
  const timedOut = count((report) => report.timedOut);
  const kinds = `${refused} refused, ${timedOut} timed out, ${lost - refused - timedOut} other errors`;
  report.check(lost === 0, `${lost} of ${attempts} connections lost meanwhile: ${kinds}`);
}

function checkKeptConnection(report: Report, { attempts, answered }: DialReport): void {
  const isWhole = attempts === answered && answered > 0;
  report.check(isWhole, `A connection kept open meanwhile answered ${answered} of ${attempts} requests`);
}

function targetOf({ at, port: { protocol, port } }: DemoService): Target {
  return { protocol, address: at.ip, port };
}
