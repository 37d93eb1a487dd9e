// Tests of src/admin/lint.ts.

import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { lintManifests } from '../../../src/admin/lint.ts';
import { formatIssue } from '../../../src/services/objects/validation-issue.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

function lint(t: Test, files: Record<string, string>) {
  return lintManifests(t.testdir(files), { ...DEFAULT_OPTIONS, nodeName: 'n1' });
}

const yaml = (...objects: readonly ApiObject[]) => objects.map((object) => stringify(object)).join('---\n');

t.test('lintManifests() finds nothing wrong with Services that are served', async (t) => {
  const result = await lint(t, { 'a.yaml': yaml(service('shop/web'), slice('shop/web')) });
  t.strictSame(result, { services: 1, issues: [], conflicts: [], limited: [], unreadable: [] });
});

t.test('lintManifests() reports issues, conflicts and unreadable files', async (t) => {
  const younger = service('shop/young', { metadata: { creationTimestamp: '2026-01-01T00:00:00Z' } });
  const result = await lint(t, {
    'a.yaml': yaml(service('shop/web'), younger, slice('other/web')),
    'b.yaml': 'kind: [',
  });
  t.match(result.issues.map(formatIssue), [
    /^EndpointSlice other\/web-1: .* Service shop\/web is in another namespace/,
  ]);
  t.match(result.conflicts, [{ winner: 'shop/web', losers: ['shop/young'] }]);
  t.match(result.unreadable, [/b\.yaml/]);
});
