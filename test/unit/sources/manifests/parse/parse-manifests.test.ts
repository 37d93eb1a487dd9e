// Tests of src/sources/manifests/parse/parse-manifests.ts, read-documents.ts and locate-json-error.ts.

import t from 'tap';
import { formatIssue } from '../../../../../src/services/objects/validation-issue.ts';
import { parseManifests } from '../../../../../src/sources/manifests/parse/parse-manifests.ts';
import { service, slice, yaml } from '../sample-manifests.ts';

const WEB = 'Service default/web';
const SLICE = 'EndpointSlice default/web-1';
const NODE = 'apiVersion: v1\nkind: Node\nmetadata:\n  name: a\n';
const CIDR =
  '{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: c}, spec: {cidrs: [10.96.0.0/16]}}';
const UNNAMED = '{"metadata":{"name":"web"},"spec":{"clusterIP":"10.96.0.1"}}';
const list = (...items: string[]) => `{"apiVersion":"v1","kind":"List","items":[${items.join(',')}]}`;

const keys = (text: string, file = 'a.yaml') =>
  parseManifests(text, file).objects.map(({ kind, result }) => `${kind} ${result.key}`);

t.test('parseManifests() returns the objects of a file', async (t) => {
  const cases: { name: string; text: string; file?: string; found: string[] }[] = [
    { name: 'nothing', text: '', found: [] },
    { name: 'a comment', text: '# nothing\n', found: [] },
    { name: 'empty documents', text: `---\n---\nnull\n---\n${service('web')}\n---\n`, found: [WEB] },
    {
      name: 'all kinds',
      text: yaml(service('web'), slice('web-1', 'web'), NODE, CIDR),
      found: [WEB, SLICE, 'Node a', 'ServiceCIDR c'],
    },
    { name: 'JSON', text: service('web'), file: 'a.json', found: [WEB] },
    { name: 'JSON after a byte order mark', text: `\uFEFF \n${service('web')}`, file: 'a.json', found: [WEB] },
    { name: 'JSON in a YAML file', text: service('web'), found: [WEB] },
    {
      name: 'YAML that begins like JSON',
      text: '{apiVersion: v1, kind: Node, metadata: {name: a}}',
      found: ['Node a'],
    },
    { name: 'JSON, then YAML', text: `${service('web')}\n---\n${NODE}`, found: [WEB, 'Node a'] },
    { name: 'a list', text: list(service('web'), slice('web-1', 'web')), found: [WEB, SLICE] },
    { name: 'a list in a list', text: list(list(service('web'))), found: [WEB] },
    { name: 'a list without items', text: 'apiVersion: v1\nkind: List\nitems:\n', found: [] },
    { name: 'a list of its kind', text: `{"apiVersion":"v1","kind":"ServiceList","items":[${UNNAMED}]}`, found: [WEB] },
    {
      name: 'a list of slices',
      text: `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSliceList","items":[${slice('web-1', 'web')}]}`,
      found: [SLICE],
    },
    { name: 'the same twice', text: yaml(service('web'), service('web')), found: [WEB, WEB] },
    {
      name: 'a merge key',
      text: 'x: &x {name: a}\napiVersion: v1\nkind: Node\nmetadata: {<<: *x}\n',
      found: ['Node a'],
    },
    { name: 'lines that end in CR LF', text: NODE.replaceAll('\n', '\r\n'), found: ['Node a'] },
  ];
  for (const { name, text, file, found } of cases) t.same(keys(text, file), found, name);
});

t.test('parseManifests() counts objects of other kinds', async (t) => {
  const pod = '{"apiVersion":"v1","kind":"Pod"}';
  const pods = '{"apiVersion":"v1","kind":"PodList","items":[{},{}]}';
  const old = '{"apiVersion":"networking.k8s.io/v1beta1","kind":"ServiceCIDR"}';
  const { ignored, objects, issues } = parseManifests(yaml(pod, service('web'), pods, old, list(pod)), 'a.yaml');
  const types = { 'v1 Pod': 2, 'v1 PodList': 1, 'networking.k8s.io/v1beta1 ServiceCIDR': 1 };
  t.same(
    { ignored: Object.fromEntries(ignored), objects: objects.length, issues },
    { ignored: types, objects: 1, issues: [] },
  );
});

t.test('parseManifests() reports documents that are not objects', async (t) => {
  const rule = 'every object must have an apiVersion and a kind';
  const cases = [
    {
      text: 'hello',
      issue: 'Document a.yaml:1: (all) "hello": this document is not an object; ignoring the document',
    },
    { text: '[1]', issue: 'Document a.yaml:1: (all) [1]: this document is not an object; ignoring the document' },
    {
      text: `${NODE}---\n# x\nkind: A\n`,
      issue: `Document a.yaml:7: apiVersion (absent): ${rule}; ignoring the document`,
    },
    { text: '\napiVersion: v1', issue: `Document a.yaml:2: kind (absent): ${rule}; ignoring the document` },
    {
      text: '\n\n{"apiVersion": "v1"}',
      issue: `Document a.yaml:3: kind (absent): ${rule}; ignoring the document`,
    },
    { text: 'apiVersion: 1\nkind: A', issue: `Document a.yaml:1: apiVersion 1: ${rule}; ignoring the document` },
    { text: list('7'), issue: 'Document a.yaml:1: items[0] 7: this item is not an object; ignoring the item' },
    { text: list(UNNAMED), issue: `Document a.yaml:1: items[0].apiVersion (absent): ${rule}; ignoring the item` },
  ];
  for (const { text, issue } of cases) t.same(parseManifests(text, 'a.yaml').issues.map(formatIssue), [issue]);
});

t.test('parseManifests() keeps the issues of an object in its `result`', async (t) => {
  const { objects, issues } = parseManifests(service('web', 0), 'a.yaml');
  t.equal(issues.length, 0);
  t.match(objects[0]?.result.issues[0], { object: WEB, field: 'spec.ports[0].port' });
});

t.test('parseManifests() reports the position of a syntax error', async (t) => {
  const bomb = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]\n`);
  const cases: { file?: string; text: string; at: string | RegExp }[] = [
    { text: `${NODE}  bad\n`, at: /^line 5, column 3: / },
    { text: 'a: 1\nb: [1, 2\n---\nc: 1\n', at: /^line [23], column \d+: / },
    { text: 'a:\n\tb: c', at: 'line 2, column 1: Tabs are not allowed as indentation' },
    { text: 'a: 1\na: 2', at: 'line 2, column 1: Map keys must be unique' },
    { text: '# x\na: *b', at: /^line 2, column 1: Unresolved alias/ },
    { text: `a0: &a0 [x]\n${bomb.join('')}`, at: /^line 1, column 1: Excessive alias count/ },
    { text: `a: ${'['.repeat(50_000)}`, at: /line 1, column / },
    { file: 'a.json', text: '{\n  "a": x\n}', at: "line 2, column 8: Unexpected token 'x'" },
    { file: 'a.json', text: '{"a": [1,\n2,]}', at: "line 2, column 3: Unexpected token ']'" },
    { file: 'a.json', text: '{"a": 1,}', at: 'line 1, column 9: Expected double-quoted property name' },
    { file: 'a.json', text: '{"a": [\n1 2]}', at: "line 2, column 3: Expected ',' or ']' after array element" },
    { file: 'a.json', text: '{"a":\n', at: 'line 1, column 6: Unexpected end of JSON input' },
    { file: 'a.json', text: '{"a": "b', at: 'line 1, column 9: Unterminated string' },
    { text: '{"a": {"b"', at: "line 1, column 11: Expected ':' after property name" },
  ];
  for (const { file = 'a.yaml', text, at } of cases) {
    const [error] = parseManifests(text, file).errors;
    if (error === undefined) throw new Error(`"${text.slice(0, 20)}" has an error`);
    const message = error.message.replace(`Cannot read "${file}": `, '');
    if (typeof at === 'string') t.equal(message, at);
    else t.match(message, at);
    t.match(message, new RegExp(`^line ${error.line}, column ${error.column}: `));
    t.notMatch(message, /\n/);
  }
});

t.test('parseManifests() rejects input that would exhaust the stack or the memory', async (t) => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const nested = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"clusterIP":"10.96.0.1","ports":[{"port":${deep}}]}}`;
  for (const text of [nested, deep]) {
    const { errors } = parseManifests(yaml(service('web'), text), 'a.yaml');
    t.match(errors, [{ message: 'Cannot read "a.yaml": line 4, column 1: it is nested too deeply' }]);
  }
});

t.test('parseManifests() keeps the other documents when one has an error', async (t) => {
  const bad = ['a: [', 'a: "b', '\tx: 1', 'a: 1\na: 2', '*b', '{"a": ', 'a: b: c', '%x'];
  for (const text of bad) {
    const { objects, errors } = parseManifests(yaml(service('a'), text, NODE), 'a.yaml');
    t.same(
      objects.map(({ result }) => result.key),
      ['default/a', 'a'],
      text,
    );
    t.equal(errors.length, 1, text);
    t.match(errors[0], { line: Number });
    const line = errors[0]?.line ?? 0;
    t.ok(line >= 4 && line <= 4 + text.split('\n').length, `${text}: line ${line}`);
  }
});

t.test('parseManifests() finds repeated keys of any map', async (t) => {
  const cases: [text: string, at: string][] = [
    ['{a: 1, b: {c: 1, d: 2, c: 3}}', 'line 1, column 24: Map keys must be unique'],
    ['- 1\n- x: 1\n  y: 2\n  "x": 3', 'line 4, column 3: Map keys must be unique'],
    ['1: a\n0x1: b', 'line 2, column 1: Map keys must be unique'],
  ];
  for (const [text, at] of cases) {
    const [error] = parseManifests(text, 'a.yaml').errors;
    t.equal(error?.message, `Cannot read "a.yaml": ${at}`, text);
  }
});

t.test('parseManifests() takes time in proportion to the length', async (t) => {
  const keys = (count: number) => `a:\n${Array.from({ length: count }, (_, index) => `  k${index}: v`).join('\n')}`;
  const timeOf = (count: number) => {
    const text = keys(count);
    const startedAt = performance.now();
    t.same(parseManifests(text, 'a.yaml').errors, []);
    return performance.now() - startedAt;
  };
  timeOf(1_000);
  const [few, many] = [timeOf(1_000), timeOf(15_000)];
  // Comparing every key with all others would take 225 times as long.
  t.ok(many < 60 * few + 200, `${few} and ${many} ms`);
});

t.test('parseManifests() names templates that were not rendered', async (t) => {
  const reason = 'is a template, which has to be rendered first';
  const head = 'apiVersion: v1\nkind: Service\nmetadata:\n';
  const cases = [
    { text: `${head}  name: {{ .Values.name }}\n`, at: 'line 4, column 10' },
    { text: `${head}  name: {{ .Release.Name }}-web\n`, at: 'line 4, column 28' },
    { text: `${head}  name: web\n  labels:\n    {{- toYaml .Values.labels | nindent 4 }}\n`, at: 'line 6, column 7' },
    { text: `{{- if .Values.enabled }}\n${head}  name: web\n{{- end }}\n`, at: 'line 1, column 3' },
    { text: `{% if enabled %}\n${head}  name: web\n{% endif %}\n`, at: 'line 1, column 2' },
  ];
  for (const { text, at } of cases) {
    const { errors, objects } = parseManifests(text, 'a.yaml');
    t.strictSame(
      errors.map(({ message }) => message),
      [`Cannot read "a.yaml": ${at}: ${reason}`],
      text,
    );
    t.strictSame(objects, []);
  }
  const quoted = parseManifests(`${head}  name: "{{ .Values.name }}"\n`, 'a.yaml');
  t.match(quoted.objects[0]?.result.issues.map(formatIssue), [
    `Service at a.yaml:1: metadata.name "{{ .Values.name }}": ${reason}; ignoring the object`,
  ]);
  // Rules of Prometheus have such values, as text.
  const text = `${head}  name: web\n  annotations: { summary: "{{ $labels.job }} is down" }\n`;
  t.match(parseManifests(text, 'a.yaml'), { errors: [], objects: [{ result: { key: 'default/web' } }] });
});

t.test('parseManifests() refuses keys that JSON cannot have', async (t) => {
  for (const key of ['{a: b}', '[1]', '? {x: y} ']) {
    const { errors } = parseManifests(`apiVersion: v1\nkind: Service\nmetadata: { ${key}: c }\n`, 'a.yaml');
    t.match(errors, [{ line: 3, reason: 'Map keys must be scalars' }], key);
  }
});

t.test('parseManifests() names objects without a name by their place', async (t) => {
  const unnamed = '{ apiVersion: v1, kind: Service, metadata: {} }';
  const text = `# first\n${unnamed}\n---\napiVersion: v1\nkind: List\nitems:\n  - ${unnamed}\n  - ${unnamed}\n`;
  t.strictSame(
    parseManifests(text, 'a.yaml').objects.flatMap(({ result }) => result.issues.map(({ object }) => object)),
    ['Service at a.yaml:2', 'Service at a.yaml:4, items[0]', 'Service at a.yaml:4, items[1]'],
  );
});

t.test('parseManifests() names kustomizations', async (t) => {
  const text = 'resources: [web.yaml]\n';
  for (const [file, reason] of [
    ['/m/kustomization.yaml', /^this file is for kustomize: use the output of `kubectl kustomize` instead$/],
    ['kustomization.yml', /kustomize/],
    ['/m/my-kustomization.yaml', /^every object must have/],
  ] as const)
    t.match(parseManifests(text, file).issues, [{ field: 'apiVersion', reason }], file);
});
