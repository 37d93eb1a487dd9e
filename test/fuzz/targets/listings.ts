// The output of nft: listings and errors. Other programs choose the names in it.

import { parseErrorMessages } from '../../../src/nftables/syntax/error-message.ts';
import { parseChains, parseJumps } from '../../../src/nftables/syntax/json-listing.ts';
import { parseRule } from '../../../src/nftables/syntax/listed/rule-parser.ts';
import { parseTables } from '../../../src/nftables/syntax/listed/table-listing.ts';
import { ElementReader } from '../../../src/nftables/syntax/listing.ts';
import { expectErrors, type FuzzTarget } from '../target.ts';

const TABLE = `table ip nftlane { # progname nft
	flags owner,persist

	map service-ips {
		typeof ip daddr . meta l4proto . th dport : verdict
		elements = { 10.96.0.1 . tcp . 80 comment "shop/web:http" : goto cluster-2,
			     10.96.0.2 . 17 . 53 counter packets 5 bytes 300 comment "a/b:c" : drop }
	}

	set affinity {
		typeof ip saddr
		size 65535
		flags dynamic,timeout
		elements = { 10.1.0.1 timeout 3h expires 2h59m59s : 10.1.0.2 . 8080 }
	}

	chain services {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr . meta l4proto . th dport vmap @service-ips
		meta mark & 0x00004000 == 0x00004000 counter packets 0 bytes 0 masquerade
	}
}
`;

const JSON_LISTING = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.1.3', json_schema_version: 1 } },
    {
      chain: {
        family: 'ip',
        table: 'nat',
        name: 'POST',
        handle: 1,
        type: 'nat',
        hook: 'postrouting',
        prio: 100,
        policy: 'accept',
      },
    },
    {
      rule: {
        family: 'ip',
        table: 'nat',
        chain: 'POST',
        handle: 2,
        expr: [{ jump: { target: 'X' } }, { counter: { packets: 1, bytes: 2 } }],
      },
    },
  ],
});

const ERRORS = `/dev/stdin:5:96-96: Error: syntax error, unexpected '}'
chain c {
^^^^
/proc/7/fd/3:2:1-4: Error: Could not process rule: No such file or directory; did you mean table 'x' in family ip6?
Error: Could not process rule: File exists
`;

export const listingTarget: FuzzTarget = {
  name: 'listings',
  weight: 15,
  seeds: [TABLE],
  run(input) {
    for (const { chains } of parseTables(input))
      for (const { rules } of chains) for (const rule of rules) parseRule(rule, 'ip');
    const reader = new ElementReader();
    for (const line of input.split('\n')) reader.read(line);
  },
};

export const jsonListingTarget: FuzzTarget = {
  name: 'json-listings',
  weight: 5,
  seeds: [JSON_LISTING],
  run(input) {
    expectErrors([SyntaxError], () => {
      parseChains(input);
      parseJumps(input);
    });
  },
};

export const nftErrorTarget: FuzzTarget = {
  name: 'nft-errors',
  weight: 5,
  seeds: [ERRORS],
  run(input) {
    parseErrorMessages(input);
  },
};
