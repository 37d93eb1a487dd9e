// Tests of src/services/model/service-cidr-blocks.ts.

import t from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { usableServiceCidrs } from '../../../../src/services/model/service-cidr-blocks.ts';
import { node } from '../../../support/builders/node.ts';
import { put, remove } from '../../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

interface Given {
  readonly cidrs: readonly string[];
  readonly objects?: readonly ApiObject[];
  readonly clusterCidrs?: readonly string[];
  readonly hostNetworks?: readonly string[];
  readonly bindAddress?: string;
}

function prefixes(texts: readonly string[] = []) {
  return texts.flatMap((text) => parsePrefix(text) ?? []);
}

function judge({ cidrs, objects = [], clusterCidrs, hostNetworks, bindAddress }: Given) {
  const store = new Store();
  put(store, serviceCidr('extra', { spec: { cidrs } }), ...objects);
  const networks = { clusterCidrs: prefixes(clusterCidrs), hostNetworks: prefixes(hostNetworks), bindAddress };
  const { blocks, issues } = usableServiceCidrs(store, networks);
  return { blocks: blocks.map(({ text }) => text), issues };
}

const USABLE: readonly Given[] = [
  { cidrs: ['10.96.0.0/12', 'fd00:10:96::/112'], clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'] },
  { cidrs: ['172.30.0.0/16'], objects: [node()], hostNetworks: ['192.0.2.0/24', '172.31.0.0/16', 'fd00::/64'] },
  { cidrs: ['34.118.224.0/20', '100.64.0.0/13', '240.0.0.0/8'] },
  { cidrs: ['10.96.0.0/12'], objects: [slice('shop/web', { endpoints: [endpoint('10.112.0.1')] })] },
  // NodeLocal DNSCache and the IPVS mode add cluster IPs to an interface.
  {
    cidrs: ['10.96.0.0/12'],
    objects: [service('kube-system/dns', { spec: clusterIps('10.96.0.10') })],
    hostNetworks: ['10.96.0.10/32'],
  },
];

t.test('usableServiceCidrs() keeps blocks that only Services use', async (t) => {
  for (const given of USABLE) t.strictSame(judge(given), { blocks: given.cidrs, issues: [] });
});

const POD_CIDRS = { spec: { podCIDRs: ['10.1.0.0/24', 'fd00:1::/64'] } };

const REFUSED: readonly [given: Given, reason: string][] = [
  [{ cidrs: ['0.0.0.0/0'] }, 'overlaps the unspecified addresses 0.0.0.0/8'],
  [{ cidrs: ['::/0'] }, 'overlaps the unspecified addresses ::/128'],
  [{ cidrs: ['127.0.0.0/16'] }, 'overlaps the loopback addresses 127.0.0.0/8'],
  [{ cidrs: ['169.254.0.0/20'] }, 'overlaps the link-local addresses 169.254.0.0/16'],
  [{ cidrs: ['192.0.0.0/2'] }, 'overlaps the multicast addresses 224.0.0.0/4'],
  [{ cidrs: ['fe80::/64'] }, 'overlaps the link-local addresses fe80::/10'],
  [{ cidrs: ['64.0.0.0/3'] }, 'is wider than /8'],
  [{ cidrs: ['fd00::/40'] }, 'is wider than /48'],
  [{ cidrs: ['10.0.0.0/8'], clusterCidrs: ['10.1.0.0/16'] }, 'overlaps the pod CIDR 10.1.0.0/16 of the configuration'],
  [{ cidrs: ['10.1.2.0/24'], clusterCidrs: ['10.1.0.0/16'] }, 'overlaps the pod CIDR 10.1.0.0/16 of the configuration'],
  [{ cidrs: ['10.0.0.0/8'], objects: [node('n2', POD_CIDRS)] }, 'overlaps the pod CIDR 10.1.0.0/24 of Node n2'],
  [{ cidrs: ['fd00:1::/48'], objects: [node('n1', POD_CIDRS)] }, 'overlaps the pod CIDR fd00:1::/64 of Node n1'],
  [{ cidrs: ['192.0.2.0/24'], objects: [node('n7')] }, 'overlaps the address 192.0.2.1 of Node n7'],
  [{ cidrs: ['198.51.100.0/24'], bindAddress: '198.51.100.7' }, 'overlaps the address 198.51.100.7 of this node'],
  [
    { cidrs: ['172.16.0.0/12'], hostNetworks: ['192.0.2.0/24', '172.17.0.0/16'] },
    'overlaps the network 172.17.0.0/16 of this node',
  ],
  [{ cidrs: ['172.17.9.0/24'], hostNetworks: ['172.17.0.0/16'] }, 'overlaps the network 172.17.0.0/16 of this node'],
  [{ cidrs: ['10.96.0.0/12'], hostNetworks: ['10.96.0.10/32'] }, 'overlaps the network 10.96.0.10/32 of this node'],
  [{ cidrs: ['10.0.0.0/8'], objects: [slice()] }, 'contains endpoints of EndpointSlice shop/web-1'],
];

t.test('usableServiceCidrs() leaves out each block that others use, as a whole, and reports it', async (t) => {
  for (const [given, reason] of REFUSED) {
    const { blocks, issues } = judge({ ...given, cidrs: [...given.cidrs, '10.200.0.0/16'] });
    t.strictSame(blocks, ['10.200.0.0/16'], 'the other block is kept');
    const effect = 'not dropping packets to unused addresses of this block';
    const value = JSON.stringify(given.cidrs[0]);
    t.strictSame(issues, [{ object: 'ServiceCIDR extra', field: 'spec.cidrs', value, reason, effect }], reason);
  }
});

t.test('usableServiceCidrs() follows endpoints', async (t) => {
  const store = new Store();
  const networks = { clusterCidrs: [], hostNetworks: [], bindAddress: undefined };
  const usable = () => usableServiceCidrs(store, networks).blocks.map(({ text }) => text);
  const inside = slice('shop/web', { endpoints: [endpoint('10.97.0.1')] });
  put(store, serviceCidr());
  const steps: [change: () => void, expected: string[], touched: boolean][] = [
    [() => put(store, slice()), ['10.96.0.0/12'], false],
    [() => put(store, inside), [], true],
    [() => put(store, serviceCidr('second', { spec: { cidrs: ['10.200.0.0/16'] } })), ['10.200.0.0/16'], true],
    [() => remove(store, serviceCidr('second')), [], true],
    [() => put(store, slice()), ['10.96.0.0/12'], true],
    [() => put(store, inside), [], true],
    [() => remove(store, inside), ['10.96.0.0/12'], true],
  ];
  store.takeNodeTouched();
  for (const [change, expected, touched] of steps) {
    change();
    t.strictSame(usable(), expected);
    t.equal(store.takeNodeTouched(), touched);
  }
});
