// The demo: nftlane on two nodes, with real connections. Exits with status 0 only if every check passed.

import { rmSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFlags } from '../support/netns/manifests.ts';
import { CLIENT, NODES } from '../support/netns/topology.ts';
import type { World } from '../support/netns/world.ts';
import { showChurn } from './churn.ts';
import { createDemoCluster, type DemoCluster } from './demo-cluster.ts';
import { Report } from './report.ts';
import { EMPTY, WEB } from './services.ts';
import { showShares } from './shares.ts';

const REFUSALS = 50;

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<boolean> {
  if (process.getuid?.() !== 0) throw new Error('Cannot run the demo: network namespaces need root');
  const start = performance.now();
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-demo-'));
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
  // The namespaces are deleted at exit, too.
  for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
    process.once(signal, () => process.exit(status));
  }
  const report = new Report();
  const cluster = await createDemoCluster(scratch);
  try {
    await show(cluster, report);
  } finally {
    await cluster.close();
  }
  const passed = report.summary();
  printNextSteps(report, start);
  return passed;
}

async function show(cluster: DemoCluster, report: Report): Promise<void> {
  report.title('nftlane: Kubernetes Services as elements of a few nftables maps');
  showWorld(cluster.world, report);
  await showServices(cluster, report);
  await showShares(cluster, report);
  await showChurn(cluster, report);
  await showRefusals(cluster, report);
  const isClean = await cluster.isClean();
  report.check(isClean, 'At the end, the kernels of both nodes have exactly the desired ruleset (nftlane diff)');
}

function showWorld(world: World, report: Report): void {
  report.section('The cluster', 'Two nodes, their pods and a client in network namespaces, with IPv4 and IPv6.');
  report.gap();
  const pods = (names: readonly string[]) => names.map((name) => `${name} ${world.pod(name).ip}`).join(', ');
  report.show(`client ${CLIENT.ip}   a host outside the cluster`);
  report.show(`node1  ${NODES.node1.ip}     pods ${pods(['web-1', 'web-2', 'dns-1'])}`);
  report.show(`node2  ${NODES.node2.ip}     pods ${pods(['web-3', 'dns-2', 'shell'])}`);
}

async function showServices(cluster: DemoCluster, report: Report): Promise<void> {
  report.section(
    'The Services',
    'nftlane reads them from a directory of manifests here; in a cluster, from the API server.',
  );
  await cluster.writeManifests();
  const { manifests } = cluster;
  report.show(`${manifests}: ${(await readdir(manifests)).join(' ')}`);
  const start = performance.now();
  await cluster.startDaemons();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.command(
    'node1',
    `nftlane run --manifests DIR ${nodeFlags('node1').join(' ')}`,
    `ready on both nodes in ${seconds} s`,
  );
  report.gap();
  const { stdout } = await cluster.run('node1', 'inspect', 'services', WEB.name);
  report.command('node1', `nftlane inspect services ${WEB.name}`, stdout);
}

async function showRefusals(cluster: DemoCluster, report: Report): Promise<void> {
  report.section('A Service without endpoints', 'Its clients are refused immediately, without waiting for a timeout.');
  const client = await cluster.dialer('client');
  const { protocol, port } = EMPTY.port;
  const start = performance.now();
  const { refused } = await client.dial({ protocol, address: EMPTY.at.ip, port, count: REFUSALS });
  const ms = Math.round(performance.now() - start);
  const { stdout } = await cluster.run('node1', 'inspect', 'services', EMPTY.name);
  report.command('node1', `nftlane inspect services ${EMPTY.name}`, stdout);
  const text = `${refused} of ${REFUSALS} connections to ${EMPTY.name} refused, all within ${ms} ms`;
  report.check(refused === REFUSALS && ms < 1000, text);
}

function printNextSteps(report: Report, start: number): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.section('Next', `The demo took ${seconds} s and left nothing on this machine.`);
  report.show('dist/nftlane.mjs render -f DIR --node-name NAME    print the ruleset for your manifests');
  report.show('dist/nftlane.mjs run --help                        list the flags');
  report.show('make test, make bench                              run the tests and the benchmarks');
}
