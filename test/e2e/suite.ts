// The end-to-end suite: the behavior of Services that users rely on, for every kind of cluster.

import type { Test } from 'tap';
import { DRAINING, UNREADY } from '../support/builders/slice.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import type { Addresses } from '../support/netns/topology.ts';
import type { RunningDial } from '../support/netns/traffic/dialer-process.ts';
import type { DialReport } from '../support/netns/traffic/programs/messages.ts';
import { type Client, type Cluster, type Server, TARGET_PORT } from './cluster.ts';
import {
  allRefused,
  allUnanswered,
  answeredBy,
  dialUntil,
  FAMILIES,
  FLOWS,
  getUntilStatus,
  noLoss,
  ServiceFixture,
} from './service-fixture.ts';

/** Addresses of the documentation blocks, which no node has. */
const EXTERNAL = { ip: '198.51.100.7', ip6: '2001:db8:7::7' };
const VIP = { ip: '198.51.100.8', ip6: '2001:db8:7::8' };
const PORT = 80;
const COUNT = 12;

/** Excludes load balancer controllers: the suite sets the addresses itself. */
const BALANCED = { type: 'LoadBalancer', loadBalancerClass: 'nftlane.io/e2e' };

/** Runs the suite as subtests of `t`. */
export async function suite(t: Test, cluster: Cluster): Promise<void> {
  const services = new ServiceFixture(cluster);
  const [node, other] = cluster.nodes;
  if (node === undefined || other === undefined) throw new Error('Cannot run the suite: it needs two nodes');
  const [a, b, c] = await Promise.all([
    cluster.addServer('a', node),
    cluster.addServer('b', node),
    cluster.addServer('c', other),
  ]);
  const near = await cluster.podClient(node);
  const far = await cluster.podClient(other);
  const host = await cluster.hostClient(node);
  const outside = await cluster.externalClient(node);
  const clients: readonly (readonly [name: string, client: Client])[] = [
    ['a pod of the node', near],
    ['a pod of another node', far],
    ['a process of the node', host],
  ];

  await t.test('a cluster IP: every client reaches every endpoint', async (t) => {
    const { at } = await services.service('cluster-ip');
    await services.endpoints('cluster-ip', [a, b, c]);
    for (const [name, client] of clients) {
      for (const { protocol, family } of FLOWS) {
        const target = { protocol, address: at[family], port: PORT };
        await dialUntil(client, target, answeredBy('a', 'b', 'c'));
        const { pods, answered } = await client.dial({ ...target, count: 60 });
        t.match({ answered, names: Object.keys(pods).sort() }, { answered: 60, names: ['a', 'b', 'c'] }, name);
      }
    }
  });

  await t.test('a cluster IP: endpoints see the address of the client pod', async (t) => {
    const { at } = await services.service('cluster-ip');
    for (const [name, client] of clients.filter(([, { address }]) => address !== undefined).slice(0, 2)) {
      for (const { protocol, family } of FLOWS) {
        const report = await client.dial({ protocol, address: at[family], port: PORT, count: COUNT });
        t.strictSame(report.clients, [client.address?.[family]], name);
      }
    }
  });

  await t.test('a node port: every client reaches every endpoint, on every node', async (t) => {
    const { nodePorts } = await services.service('node-port', { spec: { type: 'NodePort' } });
    await services.endpoints('node-port', [a, c]);
    for (const [name, client] of [...clients, ['an external client', outside] as const]) {
      for (const { protocol, family } of FLOWS) {
        for (const destination of [node, other]) {
          const target = { protocol, address: destination[family], port: nodePorts[protocol] };
          const report = await dialUntil(client, target, answeredBy('a', 'c'));
          t.ok(answeredBy('a', 'c')(report), `${name}: ${protocol} ${family} ${destination.name}`);
        }
      }
    }
  });

  await t.test('external IPs and load balancer addresses: every client reaches every endpoint', async (t) => {
    const ingress = Object.values(VIP).map((ip) => ({ ip }));
    const spec = { ...BALANCED, externalIPs: Object.values(EXTERNAL) };
    await services.service('balanced', { spec, status: { loadBalancer: { ingress } } });
    await services.endpoints('balanced', [b, c]);
    for (const [name, client] of clients) {
      for (const { protocol, family } of FLOWS) {
        for (const address of [EXTERNAL[family], VIP[family]]) {
          const report = await dialUntil(client, { protocol, address, port: PORT }, answeredBy('b', 'c'));
          t.ok(answeredBy('b', 'c')(report), `${name}: ${protocol} ${address}`);
        }
      }
    }
  });

  await t.test('source ranges: a load balancer address admits only clients in them', async (t) => {
    const ingress = Object.values(VIP).map((ip) => ({ ip }));
    const open = { ...BALANCED, loadBalancerSourceRanges: ['0.0.0.0/0', '::/0'] };
    const closed = { ...BALANCED, loadBalancerSourceRanges: ['203.0.113.0/24', '2001:db8:9::/64'] };
    const status = { loadBalancer: { ingress } };
    for (const { protocol, family } of FLOWS) {
      const target = { protocol, address: VIP[family], port: PORT, timeoutMs: 200 };
      await services.service('balanced', { spec: closed, status });
      t.ok(allUnanswered(await dialUntil(near, target, allUnanswered)), `closed: ${protocol} ${family}`);
      await services.service('balanced', { spec: open, status });
      t.ok(answeredBy('b', 'c')(await dialUntil(near, target, answeredBy('b', 'c'))), `open: ${protocol} ${family}`);
    }
  });

  await t.test('internalTrafficPolicy Local: only endpoints of the client’s node', async (t) => {
    const { at } = await services.service('internal', { spec: { internalTrafficPolicy: 'Local' } });
    await services.endpoints('internal', [a, b]);
    for (const { protocol, family } of FLOWS) {
      const target = { protocol, address: at[family], port: PORT, timeoutMs: 200 };
      t.ok(answeredBy('a', 'b')(await dialUntil(near, target, answeredBy('a', 'b'))), `near: ${protocol} ${family}`);
      t.ok(allUnanswered(await dialUntil(far, target, allUnanswered)), `far: ${protocol} ${family}`);
    }
  });

  await t.test(
    'externalTrafficPolicy Local: endpoints of the node see the client address; pods reach all endpoints',
    async (t) => {
      const spec = { type: 'NodePort', externalTrafficPolicy: 'Local' };
      const { nodePorts } = await services.service('external', { spec });
      await services.endpoints('external', [a]);
      for (const { protocol, family } of FLOWS) {
        const port = nodePorts[protocol];
        const local = { protocol, address: node[family], port, timeoutMs: 200 };
        const report = await dialUntil(outside, local, answeredBy('a'));
        t.match(report, { answered: report.attempts, pods: { a: report.attempts } }, `${protocol} ${family}`);
        t.notOk(report.clients.includes(node[family]), `not masqueraded: ${report.clients}`);
        const without = { ...local, address: other[family] };
        t.ok(allUnanswered(await dialUntil(outside, without, allUnanswered)), `no endpoint: ${protocol} ${family}`);
        t.ok(answeredBy('a')(await dialUntil(far, without, answeredBy('a'))), `a pod: ${protocol} ${family}`);
      }
    },
  );

  await t.test('every node reports that it is healthy', async (t) => {
    for (const { name, ip } of cluster.nodes) {
      for (const path of ['healthz', 'livez']) {
        const { status, body } = await getUntilStatus(outside, `http://${ip}:10256/${path}`, 200);
        t.match({ status, body: JSON.parse(body) }, { status: 200, body: { healthy: true } }, `${name} ${path}`);
      }
    }
  });

  await t.test(
    'health check node ports report which nodes have endpoints, before draining endpoints stop',
    async (t) => {
      const spec = { ...BALANCED, externalTrafficPolicy: 'Local' };
      const { nodePorts, object } = await services.service('checked', { spec });
      const { healthCheckNodePort } = object['spec'] as { healthCheckNodePort: number };
      const [here, there] = [node, other].map(({ ip }) => `http://${ip}:${healthCheckNodePort}/`);
      await services.endpoints('checked', [a]);
      const { status, body } = await getUntilStatus(outside, here ?? '', 200);
      const expected = { service: { name: 'checked' }, localEndpoints: Number };
      t.match({ status, body: JSON.parse(body) }, { status: 200, body: expected });
      t.match(await getUntilStatus(outside, there ?? '', 503), { status: 503 });
      await services.endpoints('checked', [{ server: a, fields: DRAINING }]);
      t.match(await getUntilStatus(outside, here ?? '', 503), { status: 503 }, 'the endpoint drains');
      const target = { protocol: 'tcp', address: node.ip, port: nodePorts.tcp } as const;
      t.ok(answeredBy('a')(await dialUntil(outside, target, answeredBy('a'))), 'and still answers');
    },
  );

  await t.test('affinity: a client keeps its endpoint until the endpoint is removed', async (t) => {
    const { at } = await services.service('sticky', { spec: { sessionAffinity: 'ClientIP' } });
    await services.endpoints('sticky', [a, b, c]);
    for (const { protocol, family } of FLOWS) {
      const target = { protocol, address: at[family], port: PORT };
      await dialUntil(near, target, isOne);
      const first = await near.dial({ ...target, count: 30 });
      t.ok(isOne(first), `${protocol} ${family}: ${JSON.stringify(first.pods)}`);
    }
    const [kept = ''] = Object.keys((await near.dial({ protocol: 'tcp', address: at.ip, port: PORT, count: 1 })).pods);
    const remaining = [a, b, c].filter(({ name }) => name !== kept);
    await services.endpoints('sticky', remaining);
    const names = remaining.map(({ name }) => name);
    const isMoved = (report: DialReport) => answeredBy(...names)(report) && isOne(report);
    t.ok(isMoved(await dialUntil(near, { protocol: 'tcp', address: at.ip, port: PORT }, isMoved)), `not ${kept}`);
  });

  await t.test('no endpoints: connections are refused until there is one', async (t) => {
    const { at } = await services.service('empty');
    await services.endpoints('empty', []);
    for (const [name, client] of clients) {
      for (const family of FAMILIES) {
        const target = { protocol: 'tcp', address: at[family], port: PORT } as const;
        t.ok(allRefused(await dialUntil(client, target, allRefused)), `${name}: ${family}`);
      }
    }
    await services.endpoints('empty', [c]);
    const target = { protocol: 'tcp', address: at.ip, port: PORT } as const;
    t.ok(answeredBy('c')(await dialUntil(near, target, answeredBy('c'))));
  });

  await t.test(
    'endpoints that are not ready get no connections; draining ones only when no other is ready',
    async (t) => {
      const { at } = await services.service('conditions');
      const target = { protocol: 'tcp', address: at.ip, port: PORT } as const;
      const states: readonly (readonly [
        label: string,
        placed: Parameters<ServiceFixture['endpoints']>[1],
        names: string[],
      ])[] = [
        ['one is not ready', [{ server: a, fields: UNREADY }, c], ['c']],
        ['one drains', [{ server: a, fields: DRAINING }, c], ['c']],
        ['all drain', [{ server: a, fields: DRAINING }], ['a']],
      ];
      for (const [label, placed, names] of states) {
        await services.endpoints('conditions', placed);
        t.ok(answeredBy(...names)(await dialUntil(near, target, answeredBy(...names))), label);
      }
      await services.endpoints('conditions', [{ server: a, fields: UNREADY }]);
      t.ok(allRefused(await dialUntil(near, target, allRefused)), 'none is ready');
    },
  );

  await t.test('a pod reaches itself', async (t) => {
    const { at } = await services.service('self');
    await services.endpoints('self', [a]);
    const inside = await cluster.clientInside(a);
    for (const { protocol, family } of FLOWS) {
      const target = { protocol, address: at[family], port: PORT };
      t.ok(answeredBy('a')(await dialUntil(inside, target, answeredBy('a'))), `${protocol} ${family}`);
    }
  });

  await t.test('headless and ExternalName Services are not proxied', async (t) => {
    await services.service('headless', { spec: { clusterIP: 'None' } });
    const elsewhere = { type: 'ExternalName', externalName: 'elsewhere.example', ipFamilyPolicy: undefined };
    await services.service('elsewhere', { spec: elsewhere });
    await services.endpoints('elsewhere', [b]);
    await services.endpoints('headless', [a], { 'service.kubernetes.io/headless': '' });
    // Objects are processed in order: once the last Service works, the earlier ones have been processed.
    const { at } = await services.service('after');
    await services.endpoints('after', [b]);
    for (const family of FAMILIES) {
      await dialUntil(near, { protocol: 'tcp', address: at[family], port: PORT }, answeredBy('b'));
      const own = await near.dial({ protocol: 'tcp', address: a[family], port: PORT, count: COUNT });
      t.match(own, { refused: COUNT }, 'the port of the Service is not the pod’s');
      const listening = { protocol: 'tcp', address: a[family], port: TARGET_PORT, count: COUNT } as const;
      t.match(await near.dial(listening), { answered: COUNT, pods: { a: COUNT } });
    }
  });

  await t.test('a Service changes its type and is deleted', async (t) => {
    const first = await services.service('changing', { spec: { type: 'NodePort' } });
    await services.endpoints('changing', [c]);
    const atNode = { protocol: 'tcp', address: node.ip, port: first.nodePorts.tcp, timeoutMs: 200 } as const;
    t.ok(answeredBy('c')(await dialUntil(far, atNode, answeredBy('c'))), 'NodePort');
    const second = await services.service('changing');
    const atAddress = { protocol: 'tcp', address: second.at.ip, port: PORT, timeoutMs: 200 } as const;
    t.ok(allRefused(await dialUntil(far, atNode, allRefused)), 'the node port is closed');
    t.ok(answeredBy('c')(await dialUntil(far, atAddress, answeredBy('c'))), 'ClusterIP');
    await cluster.removeService('changing');
    t.ok(allUnanswered(await dialUntil(far, atAddress, allUnanswered)), 'the address is not in use');
  });

  await t.test('a rolling update loses no connection', async (t) => {
    const { at } = await services.service('rolling');
    await services.endpoints('rolling', [a, b, c]);
    const dials = await holdConnections(near, at, ['a', 'b', 'c']);
    for (const step of rollingSteps([a, b, c])) {
      await services.endpoints('rolling', step);
      const names = step.filter(({ fields }) => fields === undefined).map(({ server }) => server.name);
      await dialUntil(far, { protocol: 'tcp', address: at.ip, port: PORT }, answeredBy(...names));
    }
    for (const dial of dials) {
      const report = await dial.stop();
      t.match(report, noLoss(report));
    }
  });

  await t.test('a UDP flow leaves an endpoint that was removed', async (t) => {
    const { at } = await services.service('flow');
    await services.endpoints('flow', [a]);
    const target = { protocol: 'udp', address: at.ip, port: PORT } as const;
    await dialUntil(near, target, answeredBy('a'));
    const flow = await near.keepConnection(target);
    await services.endpoints('flow', [c]);
    await dialUntil(near, target, answeredBy('c'));
    // The flow moves shortly after the rules.
    let pods = (await flow.snapshot()).pods;
    const deadline = performance.now() + 30_000;
    while (!pods['c'] && performance.now() < deadline) pods = (await flow.snapshot()).pods;
    const before = pods['a'];
    t.match((await flow.stop()).pods, { a: before, c: Number });
  });

  await t.test('a restart of nftlane loses no connection and applies changes made meanwhile', async (t) => {
    const { at } = await services.service('restart');
    await services.endpoints('restart', [a, b]);
    const dials = await holdConnections(near, at, ['a', 'b']);
    const restarted = cluster.restartProxy(node);
    await services.endpoints('restart', [a, c]);
    await restarted;
    for (const dial of dials) {
      const report = await dial.stop();
      t.match(report, noLoss(report));
    }
    const target = { protocol: 'tcp', address: at.ip, port: PORT } as const;
    t.ok(answeredBy('a', 'c')(await dialUntil(near, target, answeredBy('a', 'c'))));
  });
}

/** Starts new TCP and UDP connections at a rate, once the Service works. */
async function holdConnections(client: Client, at: Addresses, names: readonly string[]): Promise<RunningDial[]> {
  const targets = [
    { protocol: 'tcp', address: at.ip, port: PORT },
    { protocol: 'udp', address: at.ip6, port: PORT },
  ] as const;
  for (const target of targets) await dialUntil(client, target, answeredBy(...names));
  return Promise.all(targets.map((target) => client.dialAtRate({ ...target, perSecond: 100, timeoutMs: 10_000 })));
}

/** Each server in turn drains, is removed, and is added again. */
function* rollingSteps(servers: readonly Server[]): Generator<{ server: Server; fields?: ApiObject }[]> {
  for (const replaced of servers) {
    yield servers.map((server) => (server === replaced ? { server, fields: DRAINING } : { server }));
    yield servers.filter((server) => server !== replaced).map((server) => ({ server }));
    yield servers.map((server) => ({ server }));
  }
}

function isOne({ attempts, answered, pods }: DialReport): boolean {
  return attempts === answered && Object.keys(pods).length === 1;
}
