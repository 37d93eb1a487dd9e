// The demo: nftlane at work on two nodes, with real connections. Ends with status 0 only if everything held.
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
  // The world, too, is taken down at exit.
  for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
    process.once(signal, () => process.exit(status));
  }
  const report = new Report();
  const scene = await createDemoCluster(scratch);
  try {
    await show(scene, report);
  } finally {
    await scene.close();
  }
  const held = report.summary();
  printNextSteps(report, start);
  return held;
}

async function show(scene: DemoCluster, report: Report): Promise<void> {
  report.title('nftlane: Kubernetes Services as elements of a few nftables maps');
  showWorld(scene.world, report);
  await showServices(scene, report);
  await showShares(scene, report);
  await showChurn(scene, report);
  await showRefusals(scene, report);
  const isClean = await scene.isClean();
  report.check(isClean, 'In the end the kernel of both nodes holds exactly what is wanted (nftlane diff)');
}

function showWorld(world: World, report: Report): void {
  report.section('The world', 'A cluster made of network namespaces, with IPv4 and IPv6 throughout.');
  report.gap();
  const pods = (names: readonly string[]) => names.map((name) => `${name} ${world.pod(name).ip}`).join(', ');
  report.show(`client ${CLIENT.ip}   a machine outside of the cluster`);
  report.show(`node1  ${NODES.node1.ip}     pods ${pods(['web-1', 'web-2', 'dns-1'])}`);
  report.show(`node2  ${NODES.node2.ip}     pods ${pods(['web-3', 'dns-2', 'shell'])}`);
}

async function showServices(scene: DemoCluster, report: Report): Promise<void> {
  report.section(
    'The Services',
    'nftlane reads them from a directory of manifests; in a cluster, from the API server.',
  );
  await scene.writeManifests();
  const { manifests } = scene;
  report.show(`${manifests}: ${(await readdir(manifests)).join(' ')}`);
  const start = performance.now();
  await scene.startDaemons();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.command(
    'node1',
    `nftlane run --manifests DIR ${nodeFlags('node1').join(' ')}`,
    `ready on both nodes in ${seconds} s`,
  );
  report.gap();
  const { stdout } = await scene.run('node1', 'inspect', 'services', WEB.name);
  report.command('node1', `nftlane inspect services ${WEB.name}`, stdout);
}

async function showRefusals(scene: DemoCluster, report: Report): Promise<void> {
  report.section(
    'A Service without endpoints',
    'Its clients are refused at once: they do not wait for an answer that nobody will give.',
  );
  const client = await scene.dialer('client');
  const { protocol, port } = EMPTY.port;
  const start = performance.now();
  const { refused } = await client.dial({ protocol, address: EMPTY.at.ip, port, count: REFUSALS });
  const ms = Math.round(performance.now() - start);
  const { stdout } = await scene.run('node1', 'inspect', 'services', EMPTY.name);
  report.command('node1', `nftlane inspect services ${EMPTY.name}`, stdout);
  const text = `${refused} of ${REFUSALS} connections to ${EMPTY.name} refused, all within ${ms} ms`;
  report.check(refused === REFUSALS && ms < 1000, text);
}

function printNextSteps(report: Report, start: number): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.section('Next', `That took ${seconds} s, and nothing of it is left on this machine.`);
  report.show(
    'dist/nftlane.mjs render -f DIR --node-name NAME    the ruleset for your own manifests, without applying it',
  );
  report.show('dist/nftlane.mjs run --help                        every flag');
  report.show('make test, make bench                              the tests, the measurements');
}
