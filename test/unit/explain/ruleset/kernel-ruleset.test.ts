// Tests of src/explain/ruleset/kernel-ruleset.ts.

import t from 'tap';
import { kernelRuleset } from '../../../../src/explain/ruleset/kernel-ruleset.ts';
import { parseTables } from '../../../../src/nftables/syntax/listed/table-listing.ts';

const LISTING = `table ip nftlane {
	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
		tcp dport 6666 drop
	}
}
table ip filter {
}
table inet firewall {
}
table ip6 other {
}
table ip asleep {
	flags dormant
}
table bridge filter {
}
`;

t.test('kernelRuleset() has the rules of the kernel, and the tables that a packet traverses', async (t) => {
  const { chains, others } = kernelRuleset(parseTables(LISTING), 'ip', () => undefined);
  const rules = chains.get('services')?.rules ?? [];
  t.strictSame(
    rules.map(({ text, statements }) => [text, statements?.[0]?.kind]),
    [
      ['ip daddr . meta l4proto . th dport vmap @service-ips', 'vmap'],
      ['tcp dport 6666 drop', undefined],
    ],
  );
  t.strictSame(
    others.map(({ family, name }) => `${family} ${name}`),
    ['ip filter', 'inet firewall'],
  );
});

t.test('kernelRuleset() has no chains without our table, or if it is dormant', async (t) => {
  const dormant = LISTING.replace('table ip nftlane {', 'table ip nftlane {\n\tflags dormant');
  for (const tables of [[], parseTables(dormant)]) t.equal(kernelRuleset(tables, 'ip', () => undefined).chains.size, 0);
  t.equal(kernelRuleset(parseTables(LISTING), 'ip6', () => undefined).chains.size, 0);
});
