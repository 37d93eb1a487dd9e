// Tests of src/sources/manifests/merge-manifests.ts.

import t from 'tap';
import { mergeManifests } from '../../../../src/sources/manifests/merge-manifests.ts';
import { parseManifests } from '../../../../src/sources/manifests/parse/parse-manifests.ts';
import { service, slice, yaml } from './sample-manifests.ts';

const fileOf = (file: string, ...documents: string[]) => ({
  file,
  objects: parseManifests(yaml(...documents), file).objects,
});

t.test('mergeManifests() returns objects with one definition unchanged', async (t) => {
  const file = fileOf('a.yaml', service('web'), slice('web', 'web'));
  const merged = mergeManifests([file]);
  t.strictSame([...merged.keys()], ['Service default/web', 'EndpointSlice default/web']);
  t.equal(merged.get('Service default/web'), file.objects[0]);
});

t.test('mergeManifests() uses the last definition and reports the files', async (t) => {
  const files = [fileOf('a.yaml', service('web', 81)), fileOf('b.yaml', service('web', 82))];
  const merged = mergeManifests(files).get('Service default/web');
  t.match(merged, { result: { value: { ports: [{ port: 82 }] } } });
  t.match(merged?.result.issues, [
    { reason: 'is defined 2 times: in a.yaml, b.yaml', effect: 'using the last one, in b.yaml' },
  ]);
});

t.test('mergeManifests() merges objects without a valid name', async (t) => {
  const merged = mergeManifests([fileOf('a.yaml', service('A')), fileOf('b.yaml', service('B'))]);
  t.strictSame([...merged.keys()], ['Service ']);
  t.equal(merged.get('Service ')?.result.issues.length, 2);
});
