// Tests of src/nftables/syntax/block.ts.

import t from 'tap';
import { chainBlock, setOrMapBlock, tableBlock } from '../../../../src/nftables/syntax/block.ts';
import { ElementReader } from '../../../../src/nftables/syntax/listing.ts';

const MAP = {
  family: 'ip',
  name: 'm',
  kind: 'map',
  body: 'typeof ip daddr : verdict; counter;',
  interval: false,
} as const;

t.test('tableBlock() nests sets, maps and chains', async (t) => {
  const map = setOrMapBlock(MAP, [{ key: '10.0.0.1', data: 'drop', comment: 'a/b' }]);
  const chain = chainBlock({ name: 'c', rules: [[{ kind: 'drop' }]] }, 'ip');
  t.equal(
    tableBlock('ip t', [map, chain]),
    `table ip t {
\tmap m {
\t\ttypeof ip daddr : verdict
\t\tcounter
\t\telements = {
\t\t\t10.0.0.1 comment "a/b" : drop,
\t\t}
\t}

\tchain c {
\t\tdrop
\t}
}
`,
  );
});

t.test('setOrMapBlock() omits an empty element list', async (t) => {
  t.equal(setOrMapBlock({ ...MAP, kind: 'set' }, []), 'set m {\n\ttypeof ip daddr : verdict\n\tcounter\n}');
});

t.test('chainBlock() starts with the hook', async (t) => {
  const hook = { type: 'nat', hook: 'output', priority: -100 } as const;
  t.equal(
    chainBlock({ name: 'c', hook, rules: [] }, 'ip'),
    'chain c {\n\ttype nat hook output priority -100; policy accept;\n}',
  );
});

t.test('setOrMapBlock() prints what ElementReader reads', async (t) => {
  const elements = [
    { key: '10.0.0.1 . tcp . 80', data: 'goto c', comment: 'a/b:http' },
    { key: 'fd00::1', data: '', comment: '' },
    { key: 'fd00::1 . udp . 17 . 6', data: 'fd00::2 . 132', comment: 'x' },
  ];
  const reader = new ElementReader();
  const lines = setOrMapBlock(MAP, elements).split('\n');
  t.strictSame(
    lines.flatMap((line) => reader.read(line)),
    elements.map((element) => ({ ...element, packets: 0 })),
  );
});
