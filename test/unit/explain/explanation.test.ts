// Tests of src/explain/explanation.ts and print-explanation.ts.

import t from 'tap';
import type { Engine } from '../../../src/engine/engine.ts';
import { type ComparedExplanation, explain } from '../../../src/explain/explanation.ts';
import type { Packet } from '../../../src/explain/flow/packet.ts';
import { printExplanation } from '../../../src/explain/print-explanation.ts';
import { createRuleset } from '../../../src/explain/ruleset/ruleset.ts';
import type { Host } from '../../../src/net/host.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { toRoute } from '../../support/builders/arbitrary-packets.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { FAST_PATH_STATUS } from '../../support/builders/fast-path-status.ts';
import { node } from '../../support/builders/node.ts';
import { rulesetOf } from '../../support/builders/rulesets.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice, UNREADY } from '../../support/builders/slice.ts';

const HOST: Host = {
  addresses: ['192.0.2.1'],
  routes: [toRoute('10.1.0.0/24', 'pod-a'), toRoute('0.0.0.0/0', 'eth0')],
};
const PODS = { mode: 'ClusterCIDR', cidrs: [parsePrefix('10.1.0.0/16')].flatMap((prefix) => prefix ?? []) } as const;

const ENGINE = engineOf(
  [
    node('n1'),
    service('shop/web', {
      metadata: { annotations: { 'nftlane.io/weights': '10.1.0.4=0' } },
      spec: {
        ...{ type: 'NodePort', externalTrafficPolicy: 'Local' },
        ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }],
      },
    }),
    slice('shop/web', {
      endpoints: [
        endpoint('10.1.0.1', { nodeName: 'n1' }),
        endpoint('10.1.1.2', { nodeName: 'n2' }),
        endpoint('10.1.0.3', { nodeName: 'n1', ...UNREADY }),
        endpoint('10.1.0.4', { nodeName: 'n1' }),
      ],
    }),
  ],
  { detectLocal: PODS },
);

const AT_NODE_PORT: Packet = {
  ...{ family: 'ip', protocol: 'tcp', source: '203.0.113.5', sourcePort: 40_000, inInterface: 'eth0' },
  ...{ destination: '192.0.2.1', destinationPort: 30_080 },
};
const AT_CLUSTER_IP: Packet = { ...AT_NODE_PORT, destination: '10.96.0.1', destinationPort: 80 };

function explained(packet: Packet, engine: Engine = ENGINE): ComparedExplanation {
  return explain(packet, { engine, ruleset: rulesetOf(engine, 'ip'), host: HOST });
}

t.test('explain() gives the reason for each endpoint', async (t) => {
  const { outcome, reason, service, endpoints, differences, kernel } = explained(AT_NODE_PORT);
  t.match({ outcome, reason, service }, { outcome: 'forward', reason: 'to the only endpoint', service: 'shop/web' });
  t.strictSame(
    endpoints.map((endpoint) => [endpoint.endpoint, endpoint.share, endpoint.masquerade, endpoint.reason]),
    [
      ['10.1.0.1:8080', 1, false, 'ready'],
      ['10.1.0.3:8080', 0, undefined, 'not ready'],
      ['10.1.0.4:8080', 0, undefined, 'its weight is 0'],
      ['10.1.1.2:8080', 0, undefined, 'on node n2, but this client may only use endpoints on this node'],
    ],
  );
  t.strictSame(differences, []);
  t.equal(kernel.outcome, 'forward');
});

t.test('explain() reports where the kernel differs from the expected outcome', async (t) => {
  const ruleset = createRuleset('ip', [], new Map());
  const { differences, kernel } = explain(AT_CLUSTER_IP, { engine: ENGINE, ruleset, host: HOST });
  t.strictSame(differences, ['expected: forward, kernel: untouched']);
  t.strictSame(kernel, { outcome: 'untouched', destinations: [], steps: [], concerns: [] });
});

t.test('explain() covers the fast path only for frontends', async (t) => {
  const at = { engine: ENGINE, ruleset: rulesetOf(ENGINE, 'ip'), host: HOST, fastPath: FAST_PATH_STATUS };
  t.match(explain(AT_NODE_PORT, at).fastPath, { eligible: true });
  t.equal(explain({ ...AT_NODE_PORT, destinationPort: 81 }, at).fastPath, undefined);
});

t.test('printExplanation() prints packet, outcome, endpoints and path', async (t) => {
  const text = printExplanation(explained(AT_NODE_PORT));
  const [packet, outcome, entry, policy, masquerade, empty, header, used] = text.split('\n');
  t.equal(packet, '203.0.113.5 -> 192.0.2.1:30080/tcp, received on eth0');
  t.equal(outcome, 'FORWARDED: to the only endpoint');
  t.equal(entry, '  node port 30080/tcp of Service shop/web');
  t.match(policy, /^ {2}externalTrafficPolicy is Local/);
  t.equal(masquerade, '  not masqueraded: endpoints see the client address, because externalTrafficPolicy is Local');
  t.equal(empty, '');
  t.match(header, /^ENDPOINT +NODE +SHARE +STATE$/);
  t.match(used, /^10\.1\.0\.1:8080 +n1 +100\.0% +used: ready$/);
  t.match(text, /\nKernel ruleset: FORWARDED\n {2}prerouting\n {4}\S+: .*\n/);
  t.match(text, /^ {6}element \{ tcp \. 30080 : /m);
});

t.test('printExplanation() prints other outcomes, differences, masquerading and the fast path', async (t) => {
  const plain = explained(AT_CLUSTER_IP);
  const masqueraded = printExplanation(plain);
  t.match(masqueraded, /^ {2}masqueraded: endpoints see an address of this node, because the client is not a pod$/m);
  const refused = printExplanation(explained({ ...AT_CLUSTER_IP, source: '10.1.0.9', destinationPort: 81 }));
  t.match(refused, /^REFUSED: cluster IP of Service shop\/web, which does not have this port$/m);
  const untouched = printExplanation(
    explained({ ...AT_NODE_PORT, inInterface: undefined, destination: '8.8.8.8', destinationPort: 53 }),
  );
  t.match(untouched, /8\.8\.8\.8:53\/tcp, sent by this node\nUNTOUCHED: 8\.8\.8\.8 belongs to no Service\n/);
  t.match(untouched, /Kernel ruleset: UNTOUCHED\n {2}output\n/);
  const elsewhere = printExplanation(explained({ ...AT_NODE_PORT, inInterface: undefined, destination: '8.8.8.8' }));
  const reason =
    '8.8.8.8 belongs to no Service, and this node does not take node port 30080/tcp of Service shop/web there';
  t.match(elsewhere, `UNTOUCHED: ${reason}\n`);
  const withoutSteps = {
    ...plain,
    kernel: { outcome: 'untouched', destinations: [], steps: [], concerns: [] },
  } as const;
  t.match(printExplanation(withoutSteps), /Kernel ruleset: UNTOUCHED\n {2}no rule of nftlane matches$/);
  t.match(
    printExplanation({ ...plain, packet: { ...plain.packet, inInterface: '' } }),
    'received on an unknown interface',
  );
  t.match(
    printExplanation({ ...plain, differences: ['expected: forward, kernel: drop'] }),
    /^warning: the kernel differs from the expected outcome:\n {2}expected: forward, kernel: drop\n\n203/,
  );
  t.match(
    printExplanation({ ...plain, fastPath: { eligible: true, reason: 'to x' } }),
    /^Fast path: USED: to x\n {2}except/m,
  );
  t.match(printExplanation({ ...plain, fastPath: { eligible: false, reason: 'y' } }), /^Fast path: SKIPPED: y$/m);
});
