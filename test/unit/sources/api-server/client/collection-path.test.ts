// Tests of src/sources/api-server/client/collection-path.ts.

import t from 'tap';
import { KINDS } from '../../../../../src/services/objects/kinds.ts';
import { collectionPath } from '../../../../../src/sources/api-server/client/collection-path.ts';

t.test('collectionPath() adds the selectors of the kind and omits empty parameters', async (t) => {
  const [path, query] = collectionPath(KINDS.Service, { limit: '500', resourceVersion: '' }).split('?');
  t.equal(path, '/api/v1/services');
  t.strictSame(Object.fromEntries(new URLSearchParams(query)), {
    labelSelector: '!service.kubernetes.io/service-proxy-name',
    fieldSelector: 'spec.clusterIP!=None',
    limit: '500',
  });
  t.equal(collectionPath(KINDS.Node, { watch: '1' }), '/api/v1/nodes?watch=1');
});
