// Tests of src/nftables/syntax/rule-counts.ts.

import t from 'tap';
import { readRuleCounts } from '../../../../src/nftables/syntax/rule-counts.ts';

const LISTING = `table ip nftlane {
	set cluster-ips {
		typeof ip daddr
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		jump services
	}

	chain affinity-cluster/shop/web/tcp/ {
		jump mark-for-masquerade
		goto short-circuit
	}

	chain empty {
	}
}
`;

t.test('readRuleCounts() counts the rules of each chain', async (t) => {
  t.strictSame(
    [...readRuleCounts(LISTING)],
    [
      ['nat-output', 1],
      ['affinity-cluster/shop/web/tcp/', 2],
      ['empty', 0],
    ],
  );
  t.strictSame([...readRuleCounts('')], []);
});
