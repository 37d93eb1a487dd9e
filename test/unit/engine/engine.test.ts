// Tests of src/engine/engine.ts; those of random histories are in incremental.test.ts.

import t from 'tap';
import { Engine } from '../../../src/engine/engine.ts';
import { operationsOf } from '../../../src/engine/transaction.ts';
import { runSteps } from '../../../src/lib/steps.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import { commitAll, elementsOf, engineOf } from '../../support/builders/engine.ts';
import { inZone, node } from '../../support/builders/node.ts';
import { put, remove } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { serviceCidr } from '../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

function lines(engine: ReturnType<typeof engineOf>): string[] {
  return commitAll(engine)
    .flatMap(operationsOf)
    .map(({ line }) => line);
}

const EXTERNAL = '198.51.100.1';

/** A Service with the external IP, and an endpoint that identifies it. */
function claimant(name: string, host: number, overrides: ApiObject = {}): ApiObject[] {
  const spec = { ...clusterIps(`10.96.0.${host}`), externalIPs: [EXTERNAL] };
  return [service(name, { spec, ...overrides }), slice(name, { endpoints: [endpoint(`10.1.0.${host}`)] })];
}

function ownerOf(engine: ReturnType<typeof engineOf>): string | undefined {
  return elementsOf(engine).find((line) => line.startsWith(`ip endpoints: ${EXTERNAL} `));
}

t.test('Engine first declares tables, sets, maps and chains, and then has nothing to do', async (t) => {
  const engine = engineOf();
  const [first = '', ...rest] = lines(engine);
  t.equal(first, 'add table ip nftlane');
  t.notOk(rest.some((line) => line.includes(' element ')));
  t.strictSame(engine.plan(), []);
  t.strictSame(lines(engine), []);
});

t.test('Engine sends one change for one event', async (t) => {
  const engine = engineOf([service(), slice()]);
  commitAll(engine);
  put(engine, slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }));
  t.strictSame(lines(engine), [
    'add chain ip nftlane cluster-2',
    'flush chain ip nftlane cluster-2',
    'add rule ip nftlane cluster-2 jump mark-for-masquerade',
    'add rule ip nftlane cluster-2 meta l4proto udp dnat ip to ip daddr . meta l4proto . th dport . jhash ip saddr . th sport mod 2 seed 0x6e66746c map @endpoints',
    'add rule ip nftlane cluster-2 dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints',
    'add rule ip nftlane cluster-2 dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints',
    'delete element ip nftlane service-ips { 10.96.0.1 . tcp . 80 }',
    'add element ip nftlane endpoints { 10.96.0.1 . tcp . 80 . 1 comment "shop/web" : 10.1.0.2 . 8080 }',
    'add element ip nftlane service-ips { 10.96.0.1 . tcp . 80 comment "shop/web" : goto cluster-2 }',
  ]);
  t.strictSame(engine.staleChains(), {
    chains: [{ family: 'ip', name: 'cluster-1' }],
    operations: [{ line: 'delete chain ip nftlane cluster-1', owner: '' }],
    isUrgent: false,
  });
  engine.removed([{ family: 'ip', name: 'cluster-1' }]);
  t.strictSame(engine.staleChains().chains, []);
});

t.test('Engine does nothing for changes of ignored fields', async (t) => {
  const engine = engineOf([service(), slice(), node()]);
  commitAll(engine);
  const same = { metadata: { annotations: { x: 'y' }, resourceVersion: '7' }, spec: { selector: { app: 'web' } } };
  put(engine, service('shop/web', same), slice('shop/web', same), node('n1', same), node('n2', inZone('b')));
  t.strictSame(lines(engine), []);
  remove(engine, service());
  put(engine, service());
  t.strictSame(lines(engine), [], 'deleted and added again');
});

t.test('Engine gives a frontend to the oldest Service, then to the first by name', async (t) => {
  const young = { metadata: { creationTimestamp: '2026-01-01T00:00:00Z' } };
  const engine = engineOf([...claimant('b/y', 2, young), ...claimant('a/z', 3, young)]);
  t.match(ownerOf(engine), /10\.1\.0\.3/);
  put(engine, ...claimant('c/old', 1));
  commitAll(engine);
  t.match(ownerOf(engine), /10\.1\.0\.1/);
  t.strictSame(engine.conflicts(), [{ frontend: `${EXTERNAL}:80/tcp`, winner: 'c/old', losers: ['a/z', 'b/y'] }]);
  put(engine, service('c/old', { spec: clusterIps('10.96.0.1') }));
  commitAll(engine);
  t.match(ownerOf(engine), /10\.1\.0\.3/);
  remove(engine, ...claimant('a/z', 3));
  commitAll(engine);
  t.match(ownerOf(engine), /10\.1\.0\.2/);
  t.strictSame(engine.conflicts(), []);
  put(engine, slice('b/y', { endpoints: [endpoint('10.1.0.9')] }));
  commitAll(engine);
  t.match(ownerOf(engine), /10\.1\.0\.9/);
});

t.test('Engine omits a refused Service until it changes', async (t) => {
  const engine = engineOf([...claimant('a/x', 1), ...claimant('b/y', 2)]);
  engine.refuse({ service: 'a/x', reason: 'no' });
  engine.compile();
  t.notOk(elementsOf(engine).some((line) => line.includes('10.1.0.1')));
  t.match(ownerOf(engine), /10\.1\.0\.2/, 'its frontends are free');
  t.strictSame(engine.refusals(), [{ service: 'a/x', reason: 'no' }]);
  t.strictSame(engine.model('a/x'), []);
  put(engine, node('n1', inZone('b')), slice('b/y'));
  engine.compile();
  t.equal(engine.refusals().length, 1, 'changes of other objects do not matter');
  put(engine, ...claimant('a/x', 1));
  engine.compile();
  t.strictSame(engine.refusals(), []);
  t.match(ownerOf(engine), /10\.1\.0\.1/);
});

t.test('Engine drops a refusal with its Service', async (t) => {
  const engine = engineOf(claimant('a/x', 1));
  engine.refuse({ service: 'a/x', reason: 'no' });
  remove(engine, service('a/x'));
  engine.compile();
  t.strictSame(engine.refusals(), []);
  t.strictSame(elementsOf(engine), []);
});

t.test('Engine follows the zone and the addresses of its node', async (t) => {
  const hinted = (host: number, zone: string) => endpoint(`10.1.0.${host}`, { hints: { forZones: [{ name: zone }] } });
  const engine = engineOf([
    node('n1', inZone('a')),
    service(),
    slice('shop/web', { endpoints: [hinted(1, 'a'), hinted(2, 'b')] }),
  ]);
  const used = () =>
    elementsOf(engine)
      .filter((line) => line.startsWith('ip endpoints'))
      .map((line) => line.split(' : ')[1]);
  t.strictSame(used(), ['10.1.0.1 . 8080']);
  put(engine, node('n1', inZone('b')));
  engine.compile();
  t.strictSame(used(), ['10.1.0.2 . 8080']);
  put(engine, node('n2', inZone('a')));
  engine.compile();
  t.strictSame(used(), ['10.1.0.2 . 8080'], 'another node does not matter');
  t.ok(elementsOf(engine).includes('ip nodeport-ips: 192.0.2.1'));
  remove(engine, node());
  engine.compile();
  t.strictSame(used().toSorted(), ['10.1.0.1 . 8080', '10.1.0.2 . 8080']);
  t.notOk(elementsOf(engine).some((line) => line.includes('nodeport-ips')));
});

t.test('Engine keeps the installed slots after a restart', async (t) => {
  const before = engineOf([service(), slice('shop/web', { endpoints: [endpoint('10.1.0.9')] })]);
  commitAll(before);
  put(
    before,
    slice('shop/web', { endpoints: ['10.1.0.9', '10.1.0.1', '10.1.0.5'].map((address) => endpoint(address)) }),
  );
  commitAll(before);
  const slots = (engine: typeof before) => elementsOf(engine).filter((line) => line.startsWith('ip endpoints'));
  const engines = { listed: new Engine(before.options), sorted: engineOf([]) };
  const installed = new Map(
    before.elements(SETS_AND_MAPS.ip.endpoints).map(({ key, data, comment }) => [key, { data, comment }]),
  );
  engines.listed.adopt({ elements: new Map([['ip endpoints', installed]]), chains: [] });
  const endpoints = ['10.1.0.1', '10.1.0.5', '10.1.0.7'].map((address) => endpoint(address));
  for (const engine of Object.values(engines)) {
    put(engine, service(), slice('shop/web', { endpoints }));
    engine.compile();
  }
  t.match(slots(before), [/10\.1\.0\.9/, /10\.1\.0\.1/, /10\.1\.0\.5/]);
  t.match(slots(engines.sorted), [/10\.1\.0\.1/, /10\.1\.0\.5/, /10\.1\.0\.7/]);
  t.match(slots(engines.listed), [/10\.1\.0\.7/, /10\.1\.0\.1/, /10\.1\.0\.5/]);
});

t.test('Engine knows the kernel from a listing until it is invalidated', async (t) => {
  const engine = engineOf();
  t.ok(engine.isKernelKnown);
  engine.invalidate();
  t.notOk(engine.isKernelKnown);
  engine.adopt({ elements: new Map(), chains: [] });
  t.ok(engine.isKernelKnown);
});

t.test('Engine applies changed options, and sends what differs', async (t) => {
  const objects = [node('n1'), service('shop/web', { spec: { type: 'NodePort' } }), slice()];
  const engine = engineOf(objects);
  commitAll(engine);
  const options = { ...engine.options, masqueradeAll: true, nodePortAddresses: ['all', 'localhost'] as const };
  engine.setOptions(options);
  t.ok(lines(engine).some((line) => line.includes('127.0.0.1')));
  const fresh = engineOf(objects, options);
  t.strictSame(elementsOf(engine), elementsOf(fresh));
  t.strictSame(engine.chains('ip'), fresh.chains('ip'));
  engine.setOptions(options);
  t.strictSame(lines(engine), [], 'the same options change nothing');
  t.throws(() => engine.setOptions({ ...options, nodeName: 'n2' }), /a node keeps its name/);
});

t.test('Engine lists each compiled Service until the changes are taken', async (t) => {
  const engine = engineOf([service(), slice()]);
  const states = () => engine.changes.list().map(({ key, state }) => `${key} ${state}`);
  engine.changes.take();
  put(engine, slice('shop/web', { endpoints: [] }));
  commitAll(engine);
  t.strictSame(states(), ['shop/web served']);
  t.strictSame(states(), ['shop/web served'], 'reading does not take them');
  engine.refuse({ service: 'shop/web', reason: 'Invalid argument' });
  t.strictSame(states(), ['shop/web refused'], 'the last compilation');
  t.equal(engine.changes.take().length, 1);
  t.strictSame(states(), []);
  remove(engine, service());
  commitAll(engine);
  t.strictSame(states(), ['shop/web absent']);
});

t.test('Engine keeps the model of a Service as it was compiled', async (t) => {
  const engine = engineOf([service(), slice()]);
  const [change] = engine.changes.take();
  put(engine, slice('shop/web', { endpoints: [] }), service('shop/web', { spec: { externalIPs: ['192.0.2.7'] } }));
  if (change?.state !== 'served') throw new Error('The Service is served');
  t.match(change.ports, [{ name: 'shop/web', backends: [{ address: '10.1.0.1' }], frontends: { length: 1 } }]);
  t.equal(change.ports, change.ports, 'computed once');
  t.ok(change.ports[0]?.frontends.every(change.owns));
});

t.test('Engine recomputes models instead of keeping those of many Services', async (t) => {
  const many = Array.from({ length: 101 }, (_, n) =>
    service(`a/s${n}`, { spec: clusterIps(`10.97.${n >> 8}.${n & 255}`) }),
  );
  const engine = engineOf([...many, slice('a/s100')]);
  const changes = new Map(engine.changes.take().map((change) => [change.key, change]));
  put(engine, slice('a/s100', { endpoints: [] }));
  const [first, last] = ['a/s0', 'a/s100'].map((key) => changes.get(key));
  if (first?.state !== 'served' || last?.state !== 'served') throw new Error('All Services are served');
  t.equal(first.ports, first.ports);
  t.not(last.ports, last.ports);
  t.match(last.ports, [{ name: 'a/s100', backends: [{ address: '10.1.0.1' }] }], 'from the objects that were compiled');
});

t.test('Engine does nothing when only the metadata of a slice changes', async (t) => {
  const engine = engineOf([service(), slice()]);
  commitAll(engine);
  for (const metadata of [
    { resourceVersion: '8' },
    { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' } },
    { labels: { more: 'x' } },
  ]) {
    put(engine, slice('shop/web', { metadata }));
    t.strictSame(lines(engine), [], JSON.stringify(metadata));
  }
});

t.test('Engine keeps the slot of an endpoint that moves to another slice', async (t) => {
  const engine = engineOf([
    service(),
    slice('shop/web', { endpoints: ['10.1.0.1', '10.1.0.2'].map((at) => endpoint(at)) }),
  ]);
  commitAll(engine);
  const other = { metadata: { name: 'web-2' }, endpoints: [endpoint('10.1.0.2')] };
  put(engine, slice(), slice('shop/web', other));
  t.strictSame(lines(engine), []);
});

t.test('Engine removes a Service that is no longer proxied or loses its address', async (t) => {
  const spec = { type: 'NodePort', externalIPs: [EXTERNAL], ports: [{ port: 80, nodePort: 30080 }] };
  const gone: readonly ApiObject[] = [
    { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }, spec },
    { spec: { ...spec, type: 'ExternalName' } },
    { spec: { ...spec, ...clusterIps('None') } },
    { spec: { ...spec, ...clusterIps('fd00::1') } },
  ];
  for (const overrides of gone) {
    const engine = engineOf([service('shop/web', { spec }), slice()]);
    t.ok(elementsOf(engine).length > 3);
    put(engine, service('shop/web', overrides));
    commitAll(engine);
    const remaining = elementsOf(engine).filter((line) => line.startsWith('ip '));
    t.strictSame(remaining, [], JSON.stringify(overrides));
  }
});

t.test('Engine follows ServiceCIDRs, and keeps a CIDR as long as one of them has it', async (t) => {
  const engine = engineOf();
  commitAll(engine);
  const rules = () =>
    engine
      .chains('ip')
      .chains.find(({ name }) => name === 'cluster-ips-check')
      ?.rules.flatMap((rule) => rule.flatMap((statement) => (statement.kind === 'in-prefix' ? statement.prefix : [])));
  const [first, second] = [serviceCidr('first'), serviceCidr('second')];
  const steps: [change: () => void, expected: string[]][] = [
    [() => put(engine, first), ['10.96.0.0/12']],
    [() => put(engine, second), ['10.96.0.0/12']],
    [() => remove(engine, first), ['10.96.0.0/12']],
    [
      () => put(engine, serviceCidr('second', { spec: { cidrs: ['10.96.0.0/16', '10.200.0.0/16'] } })),
      ['10.96.0.0/16', '10.200.0.0/16'],
    ],
    [() => engine.replace('ServiceCIDR', []), []],
  ];
  for (const [change, expected] of steps) {
    const before = rules();
    change();
    const sent = lines(engine);
    t.strictSame(rules(), expected);
    t.equal(sent.length > 0, JSON.stringify(before) !== JSON.stringify(expected), `${expected}: sent`);
  }
});

t.test('Engine recompiles only the Services that an event affects', async (t) => {
  const count = 50;
  const engine = engineOf(Array.from({ length: count }, (_, n) => claimant(`a/s${n}`, n + 1)).flat());
  commitAll(engine);
  const compiled = () => engine.changes.take().map(({ key }) => key);
  compiled();
  put(engine, slice('a/s7', { endpoints: [endpoint('10.1.0.99')] }));
  commitAll(engine);
  t.strictSame(compiled(), ['a/s7']);
  put(engine, node('n1', inZone('b')));
  commitAll(engine);
  t.equal(compiled().length, count, 'a new zone affects all Services, once each');
});

t.test(
  'Engine refuses nothing at a cluster IP while an endpoint or the Node has the address, and reports it',
  async (t) => {
    const spec = { ...clusterIps('10.1.0.1'), ports: [{ port: 443 }] };
    const engine = engineOf([slice('shop/web'), service('shop/web'), service('evil/pod', { spec })]);
    const refusals = () =>
      elementsOf(engine).filter((line) => /^ip (cluster-ips|no-endpoint-services): 10\.1\.0\.1/.test(line));
    const issues = () => engine.issues().map(({ object, reason }) => `${object} ${reason}`);
    const isRefused = ['ip no-endpoint-services: 10.1.0.1 . tcp . 443 : goto reject-chain', 'ip cluster-ips: 10.1.0.1'];
    t.strictSame(refusals(), []);
    t.strictSame(issues(), ['Service evil/pod is an endpoint of EndpointSlice shop/web-1']);
    remove(engine, slice('shop/web'));
    commitAll(engine);
    t.strictSame([refusals(), issues()], [isRefused, []]);
    put(engine, node('n1', { status: { addresses: [{ type: 'InternalIP', address: '10.1.0.1' }] } }));
    commitAll(engine);
    t.strictSame([refusals(), issues()], [[], ['Service evil/pod is an address of Node n1']]);
    put(engine, node('n1'));
    commitAll(engine);
    t.strictSame([refusals(), issues()], [isRefused, []]);
    put(engine, slice('shop/web'));
    t.ok(engine.store.isTouchedService('evil/pod'));
    commitAll(engine);
    t.strictSame(refusals(), []);
    remove(engine, service('evil/pod'));
    commitAll(engine);
    t.strictSame(issues(), []);
    put(engine, service('late/pod', { spec }));
    runSteps(engine.compilePiece());
    t.strictSame([refusals(), issues()], [[], ['Service late/pod is an endpoint of EndpointSlice shop/web-1']]);
    engine.setOptions({ ...engine.options, bindAddress: '192.0.2.77' });
    put(engine, service('evil/bind', { spec: clusterIps('192.0.2.77') }));
    commitAll(engine);
    t.strictSame(issues()[0], 'Service evil/bind is an address of Node n1');
  },
);
