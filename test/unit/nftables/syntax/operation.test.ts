// Tests of src/nftables/syntax/operation.ts.

import t from 'tap';
import {
  addElement,
  addSetOrMap,
  addTable,
  deleteChain,
  deleteElement,
  deleteSetOrMap,
  OperationLines,
  printElement,
  writeChain,
} from '../../../../src/nftables/syntax/operation.ts';

const MAP = { family: 'ip6', name: 'm', kind: 'map', body: 'typeof ip6 daddr : verdict;', interval: false } as const;

t.test('operations are printed on one line each', async (t) => {
  t.strictSame(addTable('ip'), { line: 'add table ip nftlane', owner: '' });
  t.equal(addSetOrMap(MAP).line, 'add map ip6 nftlane m { typeof ip6 daddr : verdict; }');
  t.equal(addSetOrMap({ ...MAP, kind: 'set' }).line, 'add set ip6 nftlane m { typeof ip6 daddr : verdict; }');
  t.equal(deleteSetOrMap(MAP).line, 'delete map ip6 nftlane m');
  t.equal(deleteChain('ip', 'cluster-3').line, 'delete chain ip nftlane cluster-3');
});

t.test('addElement() and deleteElement() set the owner', async (t) => {
  const element = { object: MAP, key: 'fd00::1', data: 'goto c', comment: 'a/b', owner: 'a/b' };
  t.strictSame(addElement(element), {
    line: 'add element ip6 nftlane m { fd00::1 comment "a/b" : goto c }',
    owner: 'a/b',
  });
  t.strictSame(deleteElement(MAP, 'fd00::1', 'a/b'), {
    line: 'delete element ip6 nftlane m { fd00::1 }',
    owner: 'a/b',
  });
});

t.test('printElement() omits empty parts', async (t) => {
  t.equal(printElement({ key: 'k', data: '', comment: '' }), 'k');
  t.equal(printElement({ key: 'k', data: 'drop', comment: '' }), 'k : drop');
  t.equal(printElement({ key: 'k', data: '', comment: 'c' }), 'k comment "c"');
});

t.test('writeChain() replaces the rules of a chain', async (t) => {
  const hook = { type: 'filter', hook: 'input', priority: 0 } as const;
  t.strictSame(
    writeChain('ip', { name: 'c', hook, rules: [[{ kind: 'drop' }], [{ kind: 'jump', chain: 'd' }]] }).map(
      ({ line }) => line,
    ),
    [
      'add chain ip nftlane c { type filter hook input priority 0; policy accept; }',
      'flush chain ip nftlane c',
      'add rule ip nftlane c drop',
      'add rule ip nftlane c jump d',
    ],
  );
  t.strictSame(
    writeChain('ip', { name: 'c', rules: [] }).map(({ line }) => line),
    ['add chain ip nftlane c', 'flush chain ip nftlane c'],
  );
});

t.test('OperationLines joins consecutive element operations to one command, one per line', async (t) => {
  const element = (key: string, data = 'drop') => ({ object: MAP, key, data, comment: 'a/b', owner: 'a/b' });
  const set = { ...MAP, name: 's', kind: 'set' } as const;
  const lines = new OperationLines();
  t.strictSame(lines.finish(), [], 'no operations');
  lines.raw('flush chain ip6 nftlane c');
  lines.delete(MAP, 'fd00::1');
  lines.add(element('fd00::1'));
  lines.add(element('fd00::2'));
  lines.add({ ...element('fd00::3', ''), object: set });
  lines.raw('delete chain ip6 nftlane c');
  lines.delete(set, 'fd00::4');
  lines.delete(set, 'fd00::5');
  t.strictSame(lines.finish(), [
    'flush chain ip6 nftlane c',
    'delete element ip6 nftlane m { fd00::1,',
    '}; add element ip6 nftlane m { fd00::1 comment "a/b" : drop,',
    'fd00::2 comment "a/b" : drop,',
    '}; add element ip6 nftlane s { fd00::3 comment "a/b",',
    '}; delete chain ip6 nftlane c',
    'delete element ip6 nftlane s { fd00::4,',
    'fd00::5, }',
  ]);
});
