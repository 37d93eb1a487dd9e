// Tests of src/nftables/compile/masquerade-rules.ts.

import t from 'tap';
import { FAMILIES } from '../../../../src/net/family.ts';
import { masqueradeRules } from '../../../../src/nftables/compile/masquerade-rules.ts';
import { buildNodeView, type NodeOptions } from '../../../../src/nftables/compile/node-view.ts';
import { parseRule } from '../../../../src/nftables/syntax/listed/rule-parser.ts';
import { printRule } from '../../../../src/nftables/syntax/statement.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';

const routeSources = ['192.0.2.1', '2001:db8::1'].map((address) => ({ address, link: 'x0' }));

function rules(options: Partial<NodeOptions>) {
  const facts = { node: undefined, hostAddresses: [], serviceCidrs: [] };
  const view = buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, facts);
  return FAMILIES.map((family) => masqueradeRules(family, view).map((rule) => printRule(rule, family)));
}

t.test('masqueradeRules() keeps the preferred source of routes, if that is configured', async (t) => {
  const mark = 'meta mark & 0x00004000 != 0';
  const clear = 'meta mark set meta mark ^ 0x00004000';
  const kept = (match: string, family: string) =>
    `${mark} ${family} saddr ${match} oifname "x0" fib saddr type local ${clear}`;
  const [ip = [], ip6 = []] = rules({ keepRouteSource: true, routeSources });
  t.strictSame([ip.length, ip6.length], [3, 3]);
  t.equal(ip[0], kept('192.0.2.1/32', 'ip'));
  t.equal(ip6[0], kept('2001:db8::1/128', 'ip6'));
  t.match(parseRule(ip[0] ?? '', 'ip'), [{}, {}, { kind: 'output-interface', name: 'x0' }, {}, {}]);
  for (const options of [{ routeSources }, { keepRouteSource: true }])
    t.strictSame(
      rules(options).map(({ length }) => length),
      [2, 2],
    );
});
