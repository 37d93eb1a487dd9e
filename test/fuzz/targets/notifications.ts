// The lines of `nft monitor`: other programs choose the names in them.

import { summarize } from '../../../src/controller/repair/foreign-changes.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { CommitReader } from '../../../src/nftables/client/monitor/commit-reader.ts';
import { commitAll, engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import { type FuzzTarget, requirePrintable } from '../target.ts';

const LINES = `add table ip nftlane { flags dormant; }
add chain ip nftlane services
add chain ip nftlane nat-prerouting { type nat hook prerouting priority dstnat; policy drop; }
add map ip nftlane service-ips { typeof ip daddr . meta l4proto . th dport : verdict; }
add rule ip nftlane services drop
delete rule ip nftlane services handle 6
add element ip nftlane service-ips { 10.96.0.1 . tcp . 80 comment "shop/web:" : goto cluster-1 }
delete element ip nftlane endpoints { 10.96.0.1 . tcp . 80 . 0 counter packets 0 bytes 0 comment "a/b" : 10.1.0.1 . 8080 }
add element ip6 nftlane last-transaction { 0x00000007 }
# new generation 6 by process 7621 (nft)
# ERROR: We lost some netlink events!
delete map ip nftlane endpoints
delete table ip6 nftlane
# new generation 7 by process 1 (systemd)
`;

export const notificationTarget: FuzzTarget = {
  name: 'notifications',
  weight: 10,
  seeds: [LINES],
  run(input) {
    const engine = engineWithService();
    const reader = new CommitReader({
      ownNumber: (line) => (line.includes('0x00000007') ? 7 : undefined),
      maxLines: 5,
    });
    for (const line of input.split('\n')) {
      const end = reader.read(line);
      if (end?.kind !== 'foreign') continue;
      requirePrintable('A report', JSON.stringify(summarize(end.commit).first));
      engine.foreignChanges.observe(end.commit);
    }
    if (engine.isKernelKnown) engine.plan();
  },
};

function engineWithService(): Engine {
  const engine = engineOf([service(), slice()]);
  commitAll(engine);
  return engine;
}
