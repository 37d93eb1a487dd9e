// Tests of src/nftables/syntax/listed/table-listing.ts.

import t from 'tap';
import { parseTables } from '../../../../../src/nftables/syntax/listed/table-listing.ts';

/** As nft 1.1.3 prints it. */
const LISTING = `table ip nftlane { # progname nft
	flags dormant,owner

	comment "a table"
	set reset-connections {
		typeof ip saddr . th sport
		size 131072
		timeout 5m
	}

	map endpoints {
		typeof ip daddr : ip daddr
		counter
	}

	ct helper ftp {
		type "ftp" protocol tcp
		l3proto ip
	}

	flowtable ft {
		hook ingress priority filter
		devices = { lo }
	}

	chain filter-input {
		comment "a chain"
		type filter hook input priority filter - 5; policy drop;
		ct state new jump checks
		tcp dport { 80, 81 } log prefix "a { b" drop
		ip saddr vmap { 10.0.0.1 : jump checks,
			     10.0.0.2 : drop }
		accept
	}

	chain checks {
	}
}
# Warning: table inet other is managed by iptables-nft, do not touch!
table netdev other {
	chain in {
		type filter hook ingress device "eth0" priority 5; policy accept;
	}
}
`;

t.test('parseTables() reads everything but elements', async (t) => {
  const [ours, other, ...rest] = parseTables(LISTING);
  t.strictSame(rest, []);
  t.strictSame(ours, {
    family: 'ip',
    name: 'nftlane',
    flags: ['dormant', 'owner'],
    chains: [
      {
        name: 'filter-input',
        hook: { type: 'filter', hook: 'input', priority: -5, policy: 'drop', rest: '' },
        rules: [
          'ct state new jump checks',
          'tcp dport { 80, 81 } log prefix "a { b" drop',
          'ip saddr vmap { 10.0.0.1 : jump checks, 10.0.0.2 : drop }',
          'accept',
        ],
      },
      { name: 'checks', rules: [] },
    ],
    setsAndMaps: [
      {
        kind: 'set',
        name: 'reset-connections',
        properties: ['typeof ip saddr . th sport', 'size 131072', 'timeout 5m'],
      },
      { kind: 'map', name: 'endpoints', properties: ['typeof ip daddr : ip daddr', 'counter'] },
    ],
    others: [
      { kind: 'ct helper', name: 'ftp' },
      { kind: 'flowtable', name: 'ft' },
    ],
  });
  const hook = { type: 'filter', hook: 'ingress', priority: 5, policy: 'accept', rest: 'device "eth0"' };
  t.match(other, { family: 'netdev', name: 'other', flags: [], chains: [{ name: 'in', hook }] });
});

t.test('parseTables() finds no table in other text', async (t) => {
  for (const text of ['', 'garbage\n\tchain x {\n\t}\n', 'table ip']) t.strictSame(parseTables(text), []);
});
