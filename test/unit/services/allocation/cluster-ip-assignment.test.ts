// Tests of src/services/allocation/cluster-ip-assignment.ts.

import t from 'tap';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { ClusterIpAssignment } from '../../../../src/services/allocation/cluster-ip-assignment.ts';

function assignmentOf(...blocks: readonly string[]): ClusterIpAssignment {
  return new ClusterIpAssignment({ ranges: blocks.flatMap((text) => parsePrefix(text) ?? []), podCidrs: [] });
}

const BOTH = { requested: ['ip', 'ip6'], named: [] } as const;

t.test('ClusterIpAssignment assigns an address in each family that has a range and is asked for', async (t) => {
  const assignment = assignmentOf('10.96.0.0/24', 'fd00:96::/120');
  assignment.setService('shop/web', BOTH);
  assignment.setService('shop/four', { requested: ['ip'], named: [] });
  t.match(assignment.ipsOf('shop/web'), { ip: /^10\.96\.0\./, ip6: /^fd00:96::/ });
  t.strictSame(Object.keys(assignment.ipsOf('shop/four')), ['ip']);
  t.strictSame(assignment.takeMoved(), new Set(['shop/web', 'shop/four']));
  t.strictSame(assignment.takeMoved(), new Set());
  assignment.setService('shop/web', { requested: ['ip6'], named: [] });
  t.strictSame(Object.keys(assignment.ipsOf('shop/web')), ['ip6']);
  assignment.setService('shop/web', undefined);
  t.strictSame(assignment.ipsOf('shop/web'), {});
  t.strictSame(assignmentOf('10.96.0.0/24').ipsOf('shop/web'), {});
});

t.test('ClusterIpAssignment moves a Service only from an address that others name or have', async (t) => {
  const assignment = assignmentOf('10.96.0.0/24');
  assignment.setService('shop/web', BOTH);
  const { ip: first = '' } = assignment.ipsOf('shop/web');
  assignment.reserve('EndpointSlice shop/other', ['10.1.0.1', 'fd00::1', '198.51.100.1']);
  t.equal(assignment.ipsOf('shop/web').ip, first);
  for (const owner of ['EndpointSlice shop/other', 'Node n1', 'host']) {
    assignment.reserve(owner, [first]);
    t.not(assignment.ipsOf('shop/web').ip, first, owner);
    assignment.reserve(owner, []);
    t.equal(assignment.ipsOf('shop/web').ip, first, owner);
  }
  assignment.setService('shop/explicit', { requested: [], named: [first] });
  assignment.setService('shop/again', { requested: [], named: [first] });
  t.not(assignment.ipsOf('shop/web').ip, first);
  assignment.setService('shop/explicit', undefined);
  t.not(assignment.ipsOf('shop/web').ip, first, 'another Service still names it');
  assignment.setService('shop/again', undefined);
  t.equal(assignment.ipsOf('shop/web').ip, first);
});

t.test('ClusterIpAssignment names the range without a free address', async (t) => {
  const assignment = assignmentOf('10.96.0.0/30', 'fd00:96::/120');
  for (const name of ['a', 'b', 'c']) assignment.setService(`shop/${name}`, BOTH);
  const full = ['a', 'b', 'c'].map((name) => assignment.fullRangesOf(`shop/${name}`).map(({ text }) => text));
  t.strictSame(full.flat(), ['10.96.0.0/30']);
});
