// Manifest files, YAML and JSON.

import { stringify } from 'yaml';
import { formatIssue } from '../../../src/services/objects/validation-issue.ts';
import { ManifestError } from '../../../src/sources/manifests/parse/manifest-error.ts';
import { parseManifests } from '../../../src/sources/manifests/parse/parse-manifests.ts';
import { service } from '../../support/builders/service.ts';
import { slice } from '../../support/builders/slice.ts';
import { expectErrors, type FuzzTarget, requirePrintable } from '../target.ts';

const OBJECTS = [service('shop/web'), slice('shop/web')];

export const manifestTarget: FuzzTarget = {
  name: 'manifests',
  weight: 4,
  seeds: [
    OBJECTS.map((object) => stringify(object)).join('---\n'),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: OBJECTS }),
    'a: &a [x, x]\nb: &b [*a, *a]\nc: {<<: {d: 1}, e: !!str 1, f: |\n  text\n}\n? [k]\n: "v"\n',
  ],
  run(input) {
    expectErrors([ManifestError], () => {
      const { issues, objects } = parseManifests(input, 'file.yaml');
      for (const issue of issues) requirePrintable('An issue', formatIssue(issue));
      for (const { result } of objects)
        for (const issue of result.issues) requirePrintable('An issue', formatIssue(issue));
    });
  },
};
