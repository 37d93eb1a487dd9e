// Tests of src/inspect/ruleset-view.ts.

import t from 'tap';
import { printRuleset, viewRuleset } from '../../../src/inspect/ruleset-view.ts';
import type { CounterListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { parseTables } from '../../../src/nftables/syntax/listed/table-listing.ts';

const TABLES = parseTables(`table ip nftlane {
	chain cluster-1 {
		drop
		tcp dport 6666 drop
	}
	chain services {
		type nat hook output priority dstnat; policy drop;
	}
}
table ip other {
	chain x {
	}
}
`);
const LISTED: CounterListing = new Map([
  [
    'ip service-ips',
    [
      { key: '10.96.0.2 . tcp . 80', data: 'goto cluster-2', comment: 'shop/other', packets: 0 },
      { key: '10.96.0.1 . tcp . 80', data: 'goto cluster-1', comment: 'shop/web:http', packets: 7 },
    ],
  ],
  ['ip cluster-ips', [{ key: '10.96.0.1', data: '', comment: 'shop/web', packets: 0 }]],
]);

t.test('viewRuleset() lists all elements, sorted, and all chains', async (t) => {
  const { objects, chains } = viewRuleset(LISTED, TABLES);
  t.ok(
    objects.some(({ family, name }) => family === 'ip6' && name === 'service-ips'),
    'empty maps are listed, too',
  );
  const services = objects.find(({ family, name }) => family === 'ip' && name === 'service-ips');
  t.strictSame(
    services?.elements.map(({ key }) => key),
    ['10.96.0.1 . tcp . 80', '10.96.0.2 . tcp . 80'],
  );
  t.strictSame(
    chains.map(({ chain }) => chain.name),
    ['cluster-1', 'services'],
  );
});

t.test('viewRuleset() lists the elements of one Service, and the chains that they name', async (t) => {
  const { objects, chains } = viewRuleset(LISTED, TABLES, 'shop/web');
  t.strictSame(objects.map(({ name, elements }) => [name, elements.length]).sort(), [
    ['cluster-ips', 1],
    ['service-ips', 1],
  ]);
  t.strictSame(
    chains.map(({ chain }) => chain.name),
    ['cluster-1'],
  );
  t.match(viewRuleset(LISTED, TABLES, 'shop/we'), { objects: [], chains: [] }, 'not by a prefix of the name');
});

t.test('printRuleset() prints nft syntax with the counters of map elements', async (t) => {
  const text = printRuleset(viewRuleset(LISTED, TABLES, 'shop/web'));
  t.match(text, /^table ip nftlane \{$/m);
  t.match(text, '10.96.0.1 . tcp . 80 counter packets 7 comment "shop/web:http" : goto cluster-1');
  t.match(text, /^\s*10\.96\.0\.1 comment "shop\/web"/m);
  t.match(text, /chain cluster-1 \{\s+drop\s+tcp dport 6666 drop\s+\}/);
  t.notMatch(text, 'table ip6');
  t.match(printRuleset(viewRuleset(LISTED, TABLES)), 'type nat hook output priority -100; policy drop;');
  t.equal(printRuleset(viewRuleset(new Map(), [], 'shop/web')), '');
});

t.test('viewRuleset() shows the rules of the kernel, also those of others', async (t) => {
  const [chain] = viewRuleset(LISTED, TABLES).chains;
  t.strictSame(chain?.chain.rules, [[{ kind: 'drop' }], [{ kind: 'listed', text: 'tcp dport 6666 drop' }]]);
});

t.test('printRuleset() prints the flags of a table, which say whether others can change it', async (t) => {
  const view = viewRuleset(LISTED, TABLES, 'shop/web');
  const text = printRuleset({ ...view, tables: [{ family: 'ip', flags: ['owner', 'persist'] }] });
  t.match(text, /^table ip nftlane \{\n\tflags owner,persist\n\n/);
  t.notMatch(printRuleset({ ...view, tables: [{ family: 'ip', flags: [] }] }), 'flags');
});
