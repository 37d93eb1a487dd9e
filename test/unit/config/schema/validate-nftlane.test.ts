// Tests of src/config/schema/validate-nftlane.ts, through the settings.

import t from 'tap';
import { configurationText, settingsOf } from '../../../support/builders/configuration.ts';

const FIELD = 'NftlaneConfiguration.serviceClusterIPRange';

function rangeOf(blocks: string, kubeProxy = '') {
  const text = configurationText(kubeProxy, `manifests: /m\nserviceClusterIPRange: ${blocks}`);
  return settingsOf(text).proxy.serviceClusterIpRange?.map(({ text }) => text);
}

t.test('serviceClusterIPRange has at most one block of each family', async (t) => {
  t.strictSame(rangeOf('[]'), []);
  t.strictSame(rangeOf('["fd00:96::/112", 10.96.0.0/16]', 'clusterCIDR: 10.1.0.0/16'), [
    'fd00:96::/112',
    '10.96.0.0/16',
  ]);
  t.strictSame(rangeOf('[10.96.0.7/30]'), ['10.96.0.4/30']);
  t.throws(() => rangeOf('[10.96.0.0/16, 10.97.0.0/16]'), {
    message: new RegExp(`${FIELD}\\[1\\]: .* second IPv4 block$`),
  });
});

t.test('serviceClusterIPRange has only blocks from which addresses can be assigned', async (t) => {
  const cases = [
    ['[10.96.0.1]', '"10.96.0.1" is not a CIDR block'],
    ['[10.96.0.0/31]', '"10.96.0.0/31" is longer than /30'],
    ['["fd00::/127"]', '"fd00::/127" is longer than /126'],
    ['[127.0.0.0/24]', '"127.0.0.0/24" overlaps the loopback addresses 127.0.0.0/8'],
    ['[0.0.0.0/0]', '"0.0.0.0/0" overlaps the unspecified addresses 0.0.0.0/8'],
    ['["fe80::/64"]', '"fe80::/64" overlaps the link-local addresses fe80::/10'],
    ['[10.1.2.0/24]', '"10.1.2.0/24" overlaps the pod CIDR 10.1.0.0/16'],
  ] as const;
  for (const [blocks, reason] of cases)
    t.throws(() => rangeOf(blocks, 'clusterCIDR: 10.1.0.0/16'), { message: `${FIELD}[0]: ${reason}` }, blocks);
});

t.test('serviceClusterIPRange requires manifests', async (t) => {
  const text = configurationText('', 'serviceClusterIPRange: [10.96.0.0/16]');
  t.throws(() => settingsOf(text), { message: /requires manifests: an API server assigns cluster IPs itself$/ });
});
