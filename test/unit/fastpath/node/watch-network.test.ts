// Tests of src/fastpath/node/watch-network.ts.

import t from 'tap';
import { isLinkDeletion, isNetworkChange } from '../../../../src/fastpath/node/watch-network.ts';

const NEIGHBORS = new Map([['v0 10.9.9.5', '02:00:00:00:00:05']]);

t.test(
  'isNetworkChange() accepts links, routes and new MAC addresses, but not state changes of neighbors',
  async (t) => {
    const cases: readonly [boolean, string][] = [
      [true, '3: v0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default'],
      [true, 'Deleted 3: v0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default'],
      [true, '10.9.9.0/24 dev v0 proto kernel scope link src 10.9.9.1 linkdown '],
      [true, 'Deleted 10.9.9.7 dev v0 scope link '],
      [true, '10.9.9.6 dev v0 lladdr 02:00:00:00:00:06 REACHABLE '],
      [true, '10.9.9.5 dev v0 lladdr 02:00:00:00:00:07 router REACHABLE '],
      [false, '10.9.9.5 dev v0 lladdr 02:00:00:00:00:05 STALE '],
      [false, '10.9.9.5 dev v0 FAILED '],
      [false, 'Deleted 10.9.9.5 dev v0 lladdr 02:00:00:00:00:05 STALE '],
    ];
    for (const [expected, line] of cases) t.equal(isNetworkChange(line, { neighbors: NEIGHBORS }), expected, line);
  },
);

t.test('isLinkDeletion() distinguishes deleted links from deleted neighbors and routes', async (t) => {
  const cases: readonly [boolean, string][] = [
    [true, 'Deleted 3: v0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default'],
    [true, 'Deleted 12: port-c@if2: <BROADCAST,MULTICAST> mtu 1500 master br0 state disabled'],
    [false, '3: v0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default'],
    [false, 'Deleted 10.9.9.7 dev v0 scope link '],
    [false, 'Deleted 2001:db8::7 dev v0 lladdr 02:00:00:00:00:05 STALE '],
    [false, 'Deleted 2001:: dev v0 proto kernel metric 256 pref medium'],
  ];
  for (const [expected, line] of cases) t.equal(isLinkDeletion(line), expected, line);
});
