// Tests of src/migration/kube-proxy-chains.ts.

import t from 'tap';
import { isKubeProxyChain, isKubeProxyIpset } from '../../../src/migration/kube-proxy-chains.ts';

t.test('isKubeProxyChain() and isKubeProxyIpset() recognize names of kube-proxy', async (t) => {
  const own = ['KUBE-SERVICES', 'KUBE-SVC-ABC', 'KUBE-SEP-X', 'KUBE-XLB-1', 'KUBE-PROXY-CANARY', 'KUBE-IPVS-FILTER'];
  for (const name of own) t.ok(isKubeProxyChain(name), name);
  const others = ['KUBE-FIREWALL', 'KUBE-MARK-DROP', 'KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT', 'KUBE-ROUTER-INPUT'];
  for (const name of [...others, 'CNI-HOSTPORT-DNAT', 'KUBE-SERVICES-2']) t.notOk(isKubeProxyChain(name), name);
  for (const name of ['KUBE-CLUSTER-IP', 'KUBE-6-NODE-PORT-LOCAL-UDP', 'KUBE-IPVS-IPS'])
    t.ok(isKubeProxyIpset(name), name);
  for (const name of ['KUBE-POD-FW-X', 'cali40all', 'KUBE-DST-ABC']) t.notOk(isKubeProxyIpset(name), name);
});
