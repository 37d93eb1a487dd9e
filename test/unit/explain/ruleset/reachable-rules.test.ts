// Tests of src/explain/ruleset/reachable-rules.ts.

import t from 'tap';
import { foreignRules } from '../../../../src/explain/ruleset/reachable-rules.ts';
import { parseTables } from '../../../../src/nftables/syntax/listed/table-listing.ts';

const BASE = 'type nat hook prerouting priority dstnat; policy accept;';

function found(table: string, ...chains: readonly string[]): string[] {
  const text = `table ${table} {\n${chains.join('\n')}\n}\n`;
  return foreignRules(parseTables(text)).map(({ base, text }) => `${base}: ${text}`);
}

const chain = (name: string, ...rules: readonly string[]) =>
  `\tchain ${name} {\n${rules.map((rule) => `\t\t${rule}\n`).join('')}\t}`;

t.test('foreignRules() follows jumps once, in the tables of others whose chains see packets', async (t) => {
  const chains = [chain('base', BASE, 'jump a'), chain('a', 'counter', 'goto b'), chain('b', 'accept', 'jump a')];
  const expected = ['jump a', 'counter', 'goto b', 'accept', 'jump a'].map((rule) => `inet other base: ${rule}`);
  t.strictSame(found('inet other', ...chains), expected);
  t.strictSame(found('ip nftlane', ...chains), [], 'our own');
  t.strictSame(found('bridge other', ...chains), []);
  t.strictSame(found('inet other', '\tflags dormant', ...chains), []);
  t.strictSame(found('inet other', chain('base', BASE.replace('prerouting', 'postrouting'), 'accept')), []);
});
