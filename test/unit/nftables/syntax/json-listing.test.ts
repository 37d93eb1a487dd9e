// Tests of src/nftables/syntax/json-listing.ts.

import t from 'tap';
import { parseChains, parseJumps } from '../../../../src/nftables/syntax/json-listing.ts';

const json = (...nftables: object[]) => JSON.stringify({ nftables: [{ metainfo: { version: '1.1.3' } }, ...nftables] });

t.test('parseChains() returns chains and skips other objects', async (t) => {
  const base = { family: 'ip', table: 'nat', name: 'A', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' };
  const regular = { family: 'inet', table: 'filter', name: 'B' };
  t.strictSame(parseChains(json({ chain: { ...base, handle: 1 } }, { table: {} }, { chain: regular })), [
    base,
    regular,
  ]);
  t.strictSame(parseChains(json({ chain: { family: 'ip' } })), [], 'a chain without a name');
  const [named] = parseChains(json({ chain: { ...base, prio: 'dstnat' } }));
  t.match(named, { name: 'A', prio: undefined }, 'a priority that is a name');
  t.strictSame(parseChains('{}'), []);
  t.strictSame(parseChains(' \n'), []);
});

t.test('parseJumps() returns the rules that have a target', async (t) => {
  const rule = (handle: number, ...expr: object[]) => ({
    rule: { family: 'ip', table: 't', chain: 'c', handle, expr },
  });
  const text = json(
    rule(1, { match: {} }, { jump: { target: 'A' } }),
    rule(2, { counter: null }, { accept: null }),
    rule(3, { goto: { target: 'B' } }),
  );
  t.strictSame(parseJumps(text), [
    { handle: 1, target: 'A' },
    { handle: 3, target: 'B' },
  ]);
});
