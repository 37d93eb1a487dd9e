// Tests of src/admin/desired-state.ts and src/admin/kernel-state.ts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { adminSocketPath, serveState } from '../../../src/admin/admin-socket.ts';
import { loadDesiredState, loadEngine, loadKnownState, printWarnings } from '../../../src/admin/desired-state.ts';
import { openNftClient, toListing } from '../../../src/admin/kernel-state.ts';
import { type DaemonState, engineState } from '../../../src/admin/state/daemon-state.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { RESET_CONNECTIONS_CHECK } from '../../../src/nftables/compile/static-chains.ts';
import { daemonStatus } from '../../support/builders/daemon-status.ts';
import { elementsOf, engineOf } from '../../support/builders/engine.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

const OBJECTS = [service(), slice('shop/web', { endpoints: [endpoint('10.1.0.1')] })];
const PROXY = { ...DEFAULT_OPTIONS, nodeName: 'n1' };
const EMPTY = { elements: new Map(), chains: [] };

function manifests(t: Test, text?: string): string {
  return join(
    t.testdir({ 'objects.yaml': text ?? OBJECTS.map((object) => stringify(object)).join('---\n') }),
    'objects.yaml',
  );
}

async function serve(t: Test, state: () => DaemonState) {
  // A socket path is limited to 107 bytes, which t.testdir() can exceed.
  const runDir = await mkdtemp(join(tmpdir(), 'nftlane-admin-'));
  const socket = await serveState(adminSocketPath(runDir), state);
  t.teardown(async () => {
    await socket.close();
    await rm(runDir, { recursive: true });
  });
  return runDir;
}

const stateOf = (engine: Engine): DaemonState => ({
  ...{ version: '1', pid: 1, source: 'test', status: daemonStatus() },
  ...engineState(engine),
});

t.test('loadDesiredState() compiles the objects of the daemon', async (t) => {
  const engine = engineOf(OBJECTS);
  const runDir = await serve(t, () => stateOf(engine));
  const desired = await loadDesiredState({ file: undefined, runDir, proxy: () => PROXY }, EMPTY);
  t.strictSame(elementsOf(desired.engine), elementsOf(engine));
  t.strictSame(desired.issues, []);
});

t.test('loadDesiredState() rejects a daemon that has not listed its objects', async (t) => {
  const runDir = await serve(t, () => stateOf(new Engine(PROXY)));
  await t.rejects(loadDesiredState({ file: undefined, runDir, proxy: () => PROXY }, EMPTY), {
    kind: 'environment',
    message: 'Cannot read desired state: the daemon is still waiting for its objects',
  });
});

t.test('loadDesiredState() compiles manifests, with the fast path if the kernel has its chain', async (t) => {
  const source = { file: manifests(t), runDir: '/nowhere', proxy: () => PROXY };
  const { engine } = await loadDesiredState(source, EMPTY);
  t.ok(elementsOf(engine).length > 0);
  t.equal(engine.node.resetsConnections, false);
  const withFastPath = await loadDesiredState(source, {
    ...EMPTY,
    chains: [{ family: 'ip', name: RESET_CONNECTIONS_CHECK }],
  });
  t.equal(withFastPath.engine.node.resetsConnections, true);
});

t.test('loadEngine() rejects unreadable manifests', async (t) => {
  await t.rejects(loadEngine(manifests(t, '{'), { options: PROXY, listing: EMPTY }), {
    kind: 'input',
    message: /^Cannot read ".*objects\.yaml"/,
  });
});

t.test('loadEngine() finds issues between objects, too', async (t) => {
  const spec = clusterIps('10.1.0.1');
  const objects = [service('evil/pod', { spec }), slice('shop/web')];
  const file = manifests(t, objects.map((object) => stringify(object)).join('---\n'));
  const { issues } = await loadEngine(file, { options: PROXY, listing: EMPTY });
  t.match(issues, [{ object: 'Service evil/pod', reason: 'is an endpoint of EndpointSlice shop/web-1' }]);
});

t.test('loadKnownState() suggests manifests only to commands that accept them', async (t) => {
  const runDir = t.testdir();
  const hint = 'is nftlane running in this network namespace?';
  await t.rejects(loadKnownState(runDir), {
    kind: 'environment',
    message: new RegExp(`\\(${hint.replace('?', '\\?')} Use -f FILE\\|DIR to read manifests instead\\)$`),
  });
  await t.rejects(loadKnownState(runDir, { suggestManifests: false }), {
    message: new RegExp(`\\(${hint.replace('?', '\\?')}\\)$`),
  });
});

t.test('printWarnings() prints one line per issue to standard error', async (t) => {
  const written = t.capture(process.stderr, 'write', () => true);
  const { issues } = await loadEngine(
    manifests(t, stringify(service('shop/web', { spec: { ports: [{ port: 70_000 }] } }))),
    { options: PROXY, listing: EMPTY },
  );
  printWarnings(issues);
  const lines = written().map(({ args }) => String(args[0]));
  t.equal(lines.length, issues.length);
  t.ok(lines.length > 0);
  for (const line of lines) t.match(line, /^warning: Service shop\/web.*\n$/);
});

t.test('openNftClient() rejects a missing program', async (t) => {
  await t.rejects(openNftClient('/nowhere/nft'), { name: 'NftUnavailable', kind: 'environment' });
});

t.test('toListing() indexes elements by their keys', async (t) => {
  const element = { key: '10.96.0.1', data: '', comment: '', packets: 1 };
  const table = {
    family: 'ip',
    name: 'nftlane',
    flags: [],
    chains: [{ name: 'services', rules: [] }],
    setsAndMaps: [],
    others: [],
  };
  const listing = toListing(new Map([['ip cluster-ips', [element]]]), [table]);
  t.strictSame(listing, {
    elements: new Map([['ip cluster-ips', new Map([['10.96.0.1', element]])]]),
    chains: [{ family: 'ip', name: 'services' }],
    tables: [table],
  });
});
