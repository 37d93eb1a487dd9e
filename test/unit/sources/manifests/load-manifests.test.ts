// Tests of src/sources/manifests/load-manifests.ts and deliver-manifests.ts.

import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatIssue } from '../../../../src/services/objects/validation-issue.ts';
import { deliverManifests } from '../../../../src/sources/manifests/deliver-manifests.ts';
import { type LoadedManifests, loadManifests } from '../../../../src/sources/manifests/load-manifests.ts';
import { ManifestError } from '../../../../src/sources/manifests/parse/manifest-error.ts';
import { recordSink } from '../../../support/fakes/recording-sink.ts';
import { BROKEN, service, yaml } from './sample-manifests.ts';

const keys = ({ objects }: LoadedManifests) => objects.map(({ kind, result }) => `${kind} ${result.key}`);

t.test('loadManifests() reads one file, whatever its name', async (t) => {
  const dir = t.testdir({ 'services.txt': yaml(service('a'), service('b'), 'x: 1', '{apiVersion: v1, kind: Pod}') });
  const loaded = await loadManifests(join(dir, 'services.txt'));
  t.same(keys(loaded), ['Service default/a', 'Service default/b']);
  t.match(loaded, { errors: [], files: 1, ignored: 1, issues: [{ object: /services\.txt:6$/ }] });
});

t.test('loadManifests() reads the manifests of a directory in order', async (t) => {
  const dir = t.testdir({
    'c.yaml': service('c'),
    'b.yml': service('b'),
    'a.json': service('a'),
    '.hidden.yaml': service('hidden'),
    'notes.txt': service('notes'),
    'd.yaml': { 'e.yaml': service('below') },
  });
  const loaded = await loadManifests(dir);
  t.same(keys(loaded), ['Service default/a', 'Service default/b', 'Service default/c']);
  t.match(loaded, { errors: [], issues: [], files: 3 });
});

t.test('loadManifests() reads a mounted ConfigMap', async (t) => {
  const dir = t.testdir({ '..2026': { 'a.yaml': service('a') } });
  symlinkSync('..2026', join(dir, '..data'));
  symlinkSync('..data/a.yaml', join(dir, 'a.yaml'));
  t.same(keys(await loadManifests(dir)), ['Service default/a']);
});

t.test('loadManifests() reads standard input', async (t) => {
  const text = yaml(service('a'), service('b'));
  const stdin = (async function* () {
    yield Buffer.from(text.slice(0, 40));
    yield Buffer.from(text.slice(40));
  })();
  t.same(keys(await loadManifests('-', { stdin })), ['Service default/a', 'Service default/b']);
  const broken = (async function* () {
    yield Buffer.from('a: 1\na: 2\n');
  })();
  const { errors } = await loadManifests('-', { stdin: broken });
  t.match(errors, [{ message: 'Cannot read "standard input": line 2, column 1: Map keys must be unique' }]);
});

t.test('loadManifests() continues after a file that cannot be read', async (t) => {
  const dir = t.testdir({ 'a.yaml': BROKEN, 'b.yaml': service('b'), 'd.yaml': '' });
  symlinkSync('nowhere', join(dir, 'c.yaml'));
  writeFileSync(join(dir, 'd.yaml'), '');
  truncateSync(join(dir, 'd.yaml'), 64 * 1024 ** 2 + 1);
  const loaded = await loadManifests(dir);
  t.same(keys(loaded), ['Service default/b']);
  t.equal(loaded.files, 2);
  t.match(loaded.errors, [
    { file: join(dir, 'a.yaml'), line: 2 },
    { file: join(dir, 'c.yaml'), line: undefined, reason: 'no such file or directory' },
    { file: join(dir, 'd.yaml'), reason: 'is larger than 64 MiB' },
  ]);
});

t.test('loadManifests() reports a path that does not exist', async (t) => {
  const path = join(t.testdir({}), 'absent');
  const loaded = await loadManifests(path);
  t.same(keys(loaded), []);
  t.ok(loaded.errors[0] instanceof ManifestError);
  t.same(
    loaded.errors.map(({ message }) => message),
    [`Cannot read "${path}": no such file or directory`],
  );
});

t.test('loadManifests() uses the last of several definitions', async (t) => {
  const dir = t.testdir({ 'b.yaml': yaml(service('web', 82), service('web', 83)), 'a.yaml': service('web', 81) });
  const { objects, issues } = await loadManifests(dir);
  t.match(objects, [{ result: { value: { ports: [{ port: 83 }] } } }]);
  const [a, b] = [join(dir, 'a.yaml'), join(dir, 'b.yaml')];
  const expected = `Service default/web: metadata.name "web": is defined 3 times: in ${a}, ${b}; using the last one, in ${b}`;
  t.same(objects[0]?.result.issues.map(formatIssue), [expected]);
  t.same(issues, [], 'the issue belongs to the object');
});

t.test('loadManifests() keeps the issues of all objects without a name', async (t) => {
  const dir = t.testdir({ 'a.yaml': yaml(service(''), service('A')), 'b.yaml': service('b_') });
  const { objects } = await loadManifests(dir);
  t.match(objects, [{ kind: 'Service', result: { key: '' } }]);
  t.same(
    objects[0]?.result.issues.map(({ value }) => value),
    ['""', '"A"', '"b_"'],
  );
});

t.test('deliverManifests() replaces every kind', async (t) => {
  const sink = recordSink();
  deliverManifests([], sink);
  const empty = ['replace Service ', 'replace EndpointSlice ', 'replace Node ', 'replace ServiceCIDR '];
  t.same(sink.take(), empty);
  const { objects } = await loadManifests(join(t.testdir({ 'a.yaml': yaml(service('a'), service('b')) }), 'a.yaml'));
  deliverManifests(objects, sink);
  t.same(sink.take(), ['replace Service default/a,default/b', ...empty.slice(1)]);
  t.same([...sink.objects.keys()], ['Service default/a', 'Service default/b']);
});
