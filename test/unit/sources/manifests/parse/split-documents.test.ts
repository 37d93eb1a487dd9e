// Tests of src/sources/manifests/parse/split-documents.ts.

import t from 'tap';
import { ignoredTypeOf, splitDocuments } from '../../../../../src/sources/manifests/parse/split-documents.ts';

const CASES: readonly [text: string, documents: [text: string, line: number][]][] = [
  ['', []],
  ['\n \n# only a comment\n', []],
  ['a: 1', [['a: 1', 1]]],
  [
    'a: 1\n---\nb: 2\n',
    [
      ['a: 1\n', 1],
      ['---\nb: 2\n', 2],
    ],
  ],
  ['---\n# x\n---\n\n---\na: 1\n---\n', [['---\na: 1\n', 5]]],
  ['--- {a: 1}\n', [['--- {a: 1}\n', 1]]],
  ['----\na: ---\n  ---\n', [['----\na: ---\n  ---\n', 1]]],
  [
    'a: 1\r\n---\r\nb: 2\r\n',
    [
      ['a: 1\r\n', 1],
      ['---\r\nb: 2\r\n', 2],
    ],
  ],
  ['a: |\n  ---\n  b\n', [['a: |\n  ---\n  b\n', 1]]],
  ['%YAML 1.2\n# x\n---\na: 1\n', [['%YAML 1.2\n# x\n---\na: 1\n', 1]]],
  [
    'a: 1\n...\n%YAML 1.2\n---\nb: 2\n',
    [
      ['a: 1\n', 1],
      ['\n%YAML 1.2\n---\nb: 2\n', 2],
    ],
  ],
  [
    'a: 1\n...\nb: 2\n',
    [
      ['a: 1\n', 1],
      ['\nb: 2\n', 2],
    ],
  ],
];

t.test('splitDocuments() splits at markers, and leaves out empty documents', async (t) => {
  for (const [text, expected] of CASES) {
    const documents = [...splitDocuments(text)].map(({ text, line }): [string, number] => [text, line]);
    t.strictSame(documents, expected, JSON.stringify(text));
  }
});

t.test('ignoredTypeOf() finds other types without parsing', async (t) => {
  const cases: [text: string, type: string | undefined][] = [
    ['apiVersion: v1\nkind: ConfigMap\ndata: {}', 'v1 ConfigMap'],
    ['---\r\nkind: Deployment\r\napiVersion: apps/v1\r\n', 'apps/v1 Deployment'],
    ['apiVersion: v1\nkind: Service\n', undefined],
    ['apiVersion: v1\nkind: List\n', undefined],
    ['apiVersion: v1\nkind: ServiceList\n', undefined],
    ['apiVersion: v1\nkind: PodList\n', 'v1 PodList'],
    ['apiVersion: v1\nkind: ConfigMap\nkind: Service\n', undefined],
    ['apiVersion: v1\ndata:\n  kind: ConfigMap\n', undefined],
    ['apiVersion: v1\nkind: "ConfigMap"\n', undefined],
    ['apiVersion: v1\nkind: *a\n', undefined],
    ['apiVersion: v1\nkind: ConfigMap\ndata: {k: [\n', 'v1 ConfigMap'],
  ];
  for (const [text, type] of cases) t.equal(ignoredTypeOf(text), type, JSON.stringify(text));
});
