// Tests of src/fastpath/node/watch-network.ts.

import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { isLinkDeletion, isNetworkChange, watchNetwork } from '../../../../src/fastpath/node/watch-network.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { poll } from '../../../support/wait-until.ts';

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

t.test('watchNetwork() logs once that the monitor failed, and that it runs again', async (t) => {
  const { log, lines } = recordLog();
  const stop = new AbortController();
  // Another program in place of ip, which fails once.
  const script = '#!/bin/sh\necho x >>"$0.runs"; [ $(wc -l <"$0.runs") = 1 ] && exit 1; exec sleep 60\n';
  const programs = t.testdir({ ip: script });
  await chmod(join(programs, 'ip'), 0o755);
  const path = process.env['PATH'];
  t.teardown(() => void Object.assign(process.env, { PATH: path }));
  process.env['PATH'] = `${programs}:${path}`;
  const done = watchNetwork({ onChange: () => {}, log, signal: stop.signal });
  await poll(async () => lines, {
    until: (all) => all.length === 2,
    failure: (all) => JSON.stringify(all),
    timeoutMs: 30_000,
  });
  stop.abort();
  await done;
  t.match(lines, [
    { level: 'warn', message: 'cannot monitor network changes' },
    { level: 'info', message: 'monitoring network changes again' },
  ]);
});
