// Tests of src/engine/proxied-objects.ts, through the engine.

import fc from 'fast-check';
import t from 'tap';
import { Engine } from '../../../src/engine/engine.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { applyEvent, ClusterObjects, objectEvents } from '../../support/builders/arbitrary-events.ts';
import { commitAll, elementsOf, engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

function prefixes(...texts: readonly string[]) {
  return texts.flatMap((text) => parsePrefix(text) ?? []);
}

const RANGE = prefixes('10.96.0.0/24', 'fd00:96::/120');
const NO_IP = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined };
const DUAL = { ...NO_IP, ipFamilyPolicy: 'RequireDualStack' };

function withoutIp(name: string, spec: ApiObject = DUAL): ApiObject {
  return service(name, { spec });
}

function ipsOf(engine: Engine, key = 'shop/web') {
  return engine.store.services.get(key)?.clusterIps ?? {};
}

t.test('cluster IPs are a function of the objects, whatever the order and the history', async (t) => {
  // Small, and with addresses that Services, slices and Nodes name: all addresses are in use again and again.
  const options = { ...DEFAULT_OPTIONS, nodeName: 'n1', serviceClusterIpRange: prefixes('10.96.0.0/29', 'fd00::/126') };
  const servicesOf = ({ store }: Engine) =>
    [...store.services.values()].map((value) => JSON.stringify(value)).sort((a, b) => (a < b ? -1 : 1));
  const serviceIssues = (engine: Engine) => engine.issues().filter(({ object }) => object.startsWith('Service '));
  let assigned = 0;
  fc.assert(
    fc.property(objectEvents(40), fc.infiniteStream(fc.nat()), (events, random) => {
      const cluster = new ClusterObjects();
      const engine = engineOf([], options);
      for (const event of events) {
        applyEvent(engine, event);
        cluster.apply(event);
        if (random.next().value % 4 === 0) engine.compile();
      }
      commitAll(engine);
      const shuffled = cluster.objects().map((object) => ({ object, by: random.next().value }));
      shuffled.sort((a, b) => a.by - b.by);
      const fresh = new Engine(options);
      replaceAll(fresh, []);
      for (const { object } of shuffled) put(fresh, object);
      fresh.adopt({ elements: new Map(), chains: [] });
      commitAll(fresh);
      const [actual, expected] = [engine, fresh].map((each) => [servicesOf(each), serviceIssues(each)]);
      if (JSON.stringify(actual) !== JSON.stringify(expected)) {
        throw new Error(`${JSON.stringify(actual, undefined, 1)}\n${JSON.stringify(expected, undefined, 1)}`);
      }
      for (const { assignedFamilies } of engine.store.services.values()) assigned += assignedFamilies.length;
    }),
    { numRuns: 300 },
  );
  t.ok(assigned > 50, `${assigned} assigned cluster IPs`);
});

t.test('an assigned cluster IP is served, and one that is named is neither taken nor moved', async (t) => {
  const engine = engineOf([withoutIp('shop/web'), slice('shop/web', { endpoints: [endpoint('10.1.0.1')] })], {
    serviceClusterIpRange: RANGE,
  });
  const { ip = '', ip6 = '' } = ipsOf(engine);
  t.match(elementsOf(engine).join('\n'), new RegExp(`ip service-ips: ${ip.replaceAll('.', '\\.')} \\. tcp \\. 80 `));
  t.match(elementsOf(engine).join('\n'), `ip6 cluster-ips: ${ip6}`);
  put(engine, service('shop/named', { spec: clusterIps(ip) }));
  engine.compile();
  t.equal(ipsOf(engine, 'shop/named').ip, ip);
  t.not(ipsOf(engine).ip, ip);
  t.equal(ipsOf(engine).ip6, ip6, 'the other family stays');
  remove(engine, service('shop/named'));
  t.equal(ipsOf(engine).ip, ip);
});

t.test('addresses of nodes, endpoints, other Services and pods are not assigned', async (t) => {
  const options = { serviceClusterIpRange: RANGE };
  const { ip = '' } = ipsOf(engineOf([withoutIp('shop/web')], options));
  const other = { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }, spec: clusterIps(ip) };
  const uses: readonly [about: string, objects: ApiObject[]][] = [
    ['endpoint', [slice('shop/other', { endpoints: [endpoint(ip)] })]],
    ['Node', [node('n2', { status: { addresses: [{ type: 'InternalIP', address: ip }] } })]],
    ['pod CIDR', [node('n2', { spec: { podCIDRs: [`${ip}/30`] } })]],
    ['external IP', [service('shop/other', { spec: { externalIPs: [ip] } })]],
    ['another proxy', [service('shop/other', other)]],
  ];
  for (const [about, objects] of uses) {
    const engine = engineOf([withoutIp('shop/web')], options);
    for (const object of objects) put(engine, object);
    t.not(ipsOf(engine).ip, ip, about);
    t.ok(ipsOf(engine).ip, about);
    for (const object of objects) remove(engine, object);
    t.equal(ipsOf(engine).ip, ip, `${about}, removed`);
  }
  const engine = engineOf([withoutIp('shop/web')], options);
  engine.setHostAddresses([ip], prefixes(`${ip}/24`));
  t.not(ipsOf(engine).ip, ip, 'address of the host');
  engine.setHostAddresses([ip], prefixes(`${ip}/32`));
  t.equal(ipsOf(engine).ip, ip, 'a cluster IP that was added to the host');
  t.not(ipsOf(engineOf([withoutIp('shop/web')], { ...options, bindAddress: ip })).ip, ip);
});

t.test('an assignment survives a state, a held Service, and other options', async (t) => {
  const engine = engineOf([withoutIp('shop/web'), withoutIp('shop/api')], { serviceClusterIpRange: RANGE });
  const before = ipsOf(engine);
  const value = engine.store.services.get('shop/web');
  if (value === undefined) throw new Error('The Service is known');
  engine.put('Service', { key: value.key, value, issues: [] });
  t.match(engine.store.services.get('shop/web'), { clusterIps: before, assignedFamilies: ['ip', 'ip6'] });
  // Without the option, as in a command that has the state of a daemon.
  const command = engineOf();
  command.put('Service', { key: value.key, value, issues: [] });
  t.match(command.store.services.get('shop/web'), { clusterIps: before, assignedFamilies: ['ip', 'ip6'] });

  engine.setOptions({ ...engine.options, serviceClusterIpRange: prefixes('10.97.0.0/24') });
  t.match(ipsOf(engine), { ip: /^10\.97\.0\./ });
  t.equal(ipsOf(engine).ip6, undefined);
  engine.setOptions({ ...engine.options, serviceClusterIpRange: [] });
  t.strictSame(ipsOf(engine), {});
  t.match(engine.issues(), [{ object: 'Service shop/api' }, { object: 'Service shop/web', field: 'spec.clusterIP' }]);
  engine.setOptions({ ...engine.options, serviceClusterIpRange: RANGE });
  t.strictSame(ipsOf(engine), before);
  t.strictSame(engine.issues(), []);
});

t.test('a Service without a family follows the host, or the first range', async (t) => {
  const spec = { ...NO_IP, type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };
  const engine = engineOf([withoutIp('shop/web', spec)]);
  const families = () => engine.store.services.get('shop/web')?.families;
  t.strictSame(families(), ['ip']);
  engine.setHostAddresses(['2001:db8::1', '127.0.0.1']);
  t.strictSame(families(), ['ip6']);
  engine.setOptions({ ...engine.options, serviceClusterIpRange: RANGE });
  t.strictSame(families(), ['ip']);
});

t.test('a new Service recompiles only those that move', async (t) => {
  const many = Array.from({ length: 100 }, (_, n) => withoutIp(`shop/web-${n}`, { ...NO_IP, ipFamilies: ['IPv4'] }));
  const engine = engineOf(many, { serviceClusterIpRange: prefixes('10.96.0.0/16') });
  t.equal(new Set(many.map((_, n) => ipsOf(engine, `shop/web-${n}`).ip)).size, 100);
  commitAll(engine);
  engine.changes.take();
  put(engine, withoutIp('shop/late'));
  engine.compile();
  t.strictSame(
    engine.changes.list().map(({ key }) => key),
    ['shop/late'],
  );
  t.equal(readService(withoutIp('shop/late')).issues.length, 0);
});
