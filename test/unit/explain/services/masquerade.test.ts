// Tests of src/explain/services/masquerade.ts: each decision with its sentence, in both families.

import t from 'tap';
import { resolveFlow } from '../../../../src/explain/services/resolve-flow.ts';
import type { Host } from '../../../../src/net/host.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import type { ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { toRoute } from '../../../support/builders/arbitrary-packets.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { serviceTableOf } from '../../../support/builders/rulesets.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

/** The same cluster in each family: an endpoint that is a pod here, one of another node, and one that is this node. */
const ADDRESSES = {
  ip: { vip: '10.96.0.1', external: '198.51.100.7', pod: '10.1.0.1', remote: '10.1.1.1', host: '192.0.2.1' },
  ip6: { vip: 'fd00::1', external: '2001:db8:7::7', pod: 'fd01::1', remote: 'fd01:0:0:1::1', host: '2001:db8::1' },
} as const;
const OTHER_POD = { ip: '10.1.0.9', ip6: 'fd01::9' } as const;
const OUTSIDE = { ip: '203.0.113.5', ip6: '2001:db8:5::5' } as const;
const PODS = ['10.1.0.0/16', 'fd01::/48'].flatMap((text) => parsePrefix(text) ?? []);
const BY_ADDRESS: Partial<ProxyOptions> = { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS } };

const HOST: Host = {
  addresses: ['192.0.2.1', '2001:db8::1'],
  routes: [
    ...['10.1.0.1/32', 'fd01::1/128'].map((block) => toRoute(block, 'pod-a')),
    ...['10.1.0.9/32', 'fd01::9/128'].map((block) => toRoute(block, 'pod-b')),
    ...['0.0.0.0/0', '::/0'].map((block) => toRoute(block, 'lan')),
  ],
};

for (const family of ['ip', 'ip6'] as const) {
  const { vip, external, pod, remote, host } = ADDRESSES[family];
  const named = (address: string) => (family === 'ip' ? `${address}:8080` : `[${address}]:8080`);
  const spec = {
    clusterIP: vip,
    clusterIPs: [vip],
    ipFamilies: [family === 'ip' ? 'IPv4' : 'IPv6'],
    externalIPs: [external],
  };
  const addressType = family === 'ip' ? 'IPv4' : 'IPv6';
  const endpoints = [
    endpoint(pod, { nodeName: 'n1' }),
    endpoint(remote, { nodeName: 'n2' }),
    endpoint(host, { nodeName: 'n1' }),
  ];
  const atHost = `not masqueraded: ${named(host)} sees the client address, because an address of this node is reached without postrouting`;
  const others = [pod, remote].map(named).sort().join(', ');

  const cases = [
    {
      name: 'a pod',
      from: { source: OTHER_POD[family], inInterface: 'pod-b' },
      to: vip,
      sentences: [`not masqueraded: ${others} see the client address, because the client is a pod`, atHost],
    },
    {
      name: 'an endpoint itself',
      from: { source: pod, inInterface: 'pod-a' },
      to: vip,
      sentences: [
        `masqueraded: ${named(pod)} sees an address of this node, because the endpoint connects to itself`,
        `not masqueraded: ${named(remote)} sees the client address, because the client is a pod`,
        atHost,
      ],
    },
    {
      name: 'a pod of another node',
      from: { source: remote, inInterface: 'lan' },
      to: vip,
      sentences: [
        `not masqueraded: ${named(pod)} sees the client address, because the client is a pod`,
        `masqueraded: ${named(remote)} sees an address of this node, because the endpoint is reached through the input interface, and replies must return through this node`,
        atHost,
      ],
    },
    {
      name: 'this node',
      from: { source: host, inInterface: undefined },
      to: vip,
      sentences: ['masqueraded: endpoints see an address of this node, because the client is not a pod'],
    },
    {
      name: 'a client outside',
      from: { source: OUTSIDE[family], inInterface: 'lan' },
      to: external,
      sentences: [
        `masqueraded: ${others} see an address of this node, because externalTrafficPolicy is Cluster`,
        atHost,
      ],
    },
    {
      name: 'a pod with masqueradeAll',
      from: { source: OTHER_POD[family], inInterface: 'pod-b' },
      to: vip,
      options: { masqueradeAll: true },
      sentences: [`masqueraded: ${others} see an address of this node, because masqueradeAll is set`, atHost],
    },
    {
      name: 'any client without clusterCIDR',
      from: { source: OTHER_POD[family], inInterface: 'pod-b' },
      to: vip,
      options: { detectLocal: { mode: 'ClusterCIDR', cidrs: [] } },
      sentences: [
        `not masqueraded: ${others} see the client address, because this node cannot distinguish pods from other clients`,
        atHost,
      ],
    },
  ] as const;

  for (const { name, from, to, sentences, ...rest } of cases) {
    t.test(`${addressType}: the sentences for ${name}`, async (t) => {
      const options: Partial<ProxyOptions> = { ...BY_ADDRESS, ...('options' in rest ? rest.options : {}) };
      const engine = engineOf([service('shop/web', { spec }), slice('shop/web', { addressType, endpoints })], options);
      const destination = {
        family,
        protocol: 'tcp',
        sourcePort: 40_000,
        destination: to,
        destinationPort: 80,
      } as const;
      const { steps } = resolveFlow({ ...destination, ...from }, serviceTableOf(engine, HOST));
      t.strictSame(steps.filter((step) => step.includes('masqueraded')).sort(), [...sentences].sort());
    });
  }
}
