// Tests of src/controller/node-logger.ts.

import t from 'tap';
import { NodeLogger } from '../../../src/controller/node-logger.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import type { NodeOptions } from '../../../src/nftables/compile/node-view.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { put } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

const ADDRESSES = ['192.0.2.1', '2001:db8::1'].map((address) => ({ type: 'InternalIP', address }));
const TWO_FAMILIES = { status: { addresses: ADDRESSES } };
const PODS = [parsePrefix('10.1.0.0/16') ?? []].flat();

/** The log of a node with these objects and options after a sync. */
function logged(objects: readonly ApiObject[], options: Partial<NodeOptions>, hostAddresses = ['192.0.2.1']) {
  const engine = engineOf(objects, options);
  engine.setHostAddresses(hostAddresses);
  engine.compile();
  const { log, lines } = recordLog();
  const nodeLogger = new NodeLogger({ engine, log, readAddresses: () => engine.hostAddresses });
  nodeLogger.committed({ services: [] });
  return { engine, nodeLogger, lines };
}

t.test('NodeLogger logs the node once, and each change of it', async (t) => {
  const { engine, nodeLogger, lines } = logged([node('n1')], { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS } });
  nodeLogger.committed({ services: [] });
  t.match(lines, [
    { level: 'info', message: 'node configuration', details: { addresses: ['192.0.2.1'], pods: ['10.1.0.0/16'] } },
  ]);
  t.equal(lines.length, 1);
  put(engine, node('n1', { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.9' }] } }));
  engine.compile();
  nodeLogger.committed({ services: [] });
  t.match(lines[1], { message: 'node configuration changed', details: { addresses: ['192.0.2.9'] } });
  t.match(lines[2], { level: 'warn', details: { warnings: [/no interface has 192\.0\.2\.9, .* over IPv4/] } });
});

t.test('NodeLogger warns about questionable configuration', async (t) => {
  const cases: [options: Partial<NodeOptions>, objects: ApiObject[], warnings: RegExp[]][] = [
    [{}, [node('n1')], [/clusterCIDR is empty/]],
    [{ masqueradeAll: true }, [node('n1')], []],
    [{ detectLocal: { mode: 'NodeCIDR' } }, [node('n1')], [/there are no podCIDRs of the Node/]],
    [{ detectLocal: { mode: 'BridgeInterface', name: 'cni0' } }, [], [/the address of this node is unknown/]],
    [{ detectLocal: { mode: 'BridgeInterface', name: 'cni0' }, nodePortAddresses: ['all'] }, [], []],
    [
      { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS }, nodePortAddresses: PODS },
      [node('n1', TWO_FAMILIES)],
      [/every IPv6 address .*: nodePortAddresses has no IPv6 CIDR/, /clusterCIDR has no IPv6 CIDR/],
    ],
    [
      { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS }, nodePortAddresses: PODS, families: ['ip'] },
      [node('n1', TWO_FAMILIES)],
      [],
    ],
  ];
  for (const [options, objects, warnings] of cases) {
    const found = logged(objects, options).lines.filter(({ level }) => level === 'warn');
    t.match(
      found.flatMap(({ details }) => details['warnings']),
      warnings,
    );
    t.equal(found.length, Math.min(warnings.length, 1));
  }
});

t.test('NodeLogger does not warn about a family without Services until it has one', async (t) => {
  const options = { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS }, nodePortAddresses: PODS } as const;
  const engine = engineOf([node('n1', TWO_FAMILIES)], options);
  engine.setHostAddresses(['192.0.2.1']);
  const { log, lines } = recordLog();
  const nodeLogger = new NodeLogger({ engine, log, readAddresses: () => engine.hostAddresses });
  const warnings = () => lines.filter(({ level }) => level === 'warn').flatMap(({ details }) => details['warnings']);
  const commit = (...addresses: readonly string[]) => {
    put(engine, service('shop/web', { spec: clusterIps(...addresses) }));
    engine.compile();
    const web = engine.store.services.get('shop/web');
    nodeLogger.committed({ services: web === undefined ? [] : [{ state: 'refused', key: web.key, service: web }] });
  };
  commit('10.96.0.1');
  t.strictSame(warnings(), []);
  commit('10.96.0.1', 'fd00:96::1');
  t.match(warnings(), [/every IPv6 address accepts node ports/, /IPv6 traffic to cluster IPs is not masqueraded/]);
  commit('10.96.0.1');
  t.equal(warnings().length, 2, 'once');
});

t.test(
  'NodeLogger judges by the current addresses of the host, in both families, and takes its warning back',
  async (t) => {
    for (const family of ['ip', 'ip6'] as const) {
      const [old, moved] = family === 'ip' ? ['192.0.2.1', '192.0.2.2'] : ['2001:db8::1', '2001:db8::2'];
      const at = (address: string) => node('n1', { status: { addresses: [{ type: 'InternalIP', address }] } });
      const cidrs = ['10.1.0.0/16', 'fd01::/48'].flatMap((text) => parsePrefix(text) ?? []);
      const engine = engineOf([at(old)], { detectLocal: { mode: 'ClusterCIDR', cidrs } });
      engine.setHostAddresses([old]);
      engine.compile();
      const host = new Set([old]);
      const { log, lines } = recordLog();
      const nodeLogger = new NodeLogger({ engine, log, readAddresses: () => [...host] });
      const commit = () => {
        engine.compile();
        for (let n = 0; n < 2; n++) nodeLogger.committed({ services: [] });
        return lines.splice(0).map(({ level, message }) => `${level} ${message}`);
      };
      commit();
      host.add(moved);
      put(engine, at(moved));
      t.strictSame(commit(), ['info node configuration changed'], 'the engine has older addresses of the host');
      host.delete(moved);
      engine.setHostAddresses([old]);
      t.strictSame(commit(), ['warn questionable node configuration'], 'the address vanishes');
      host.add(moved);
      engine.setHostAddresses([old, moved]);
      t.strictSame(commit(), ['info node configuration is not questionable any more'], 'the address follows the Node');
    }
  },
);
