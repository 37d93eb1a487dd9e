// Tests of src/services/matching/unmatched-slices.ts, through the engine.

import t from 'tap';
import { Engine } from '../../../../src/engine/engine.ts';
import { formatIssue } from '../../../../src/services/objects/validation-issue.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { put, remove } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { slice } from '../../../support/builders/slice.ts';

function open({ seesAllServices = false } = {}) {
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1', seesAllServices });
  const issues = () => {
    engine.compile();
    return engine.issues().map(formatIssue);
  };
  return { engine, issues };
}

const WRONG = slice('shop/web', { ports: [{ name: 'web', protocol: 'TCP', port: 8080 }] });

t.test('an issue appears with the Service or the slice, in either order, and ends with what caused it', async (t) => {
  const { engine, issues } = open();
  put(engine, WRONG);
  t.strictSame(issues(), [], 'an API server may hide its Service');
  put(engine, service('shop/web'));
  t.match(issues(), [/^EndpointSlice shop\/web-1: ports\[0\]\.name/]);
  const list = engine.issues();
  put(engine, service('shop/other', { spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] } }));
  engine.compile();
  t.equal(engine.issues(), list, 'the same list, so that it is not compared again');
  put(engine, slice('shop/web'));
  t.strictSame(issues(), []);
  put(engine, WRONG);
  t.equal(issues().length, 1);
  remove(engine, service('shop/web'));
  t.strictSame(issues(), []);
});

t.test('a slice that is not read is named while its Service has no endpoints', async (t) => {
  const { engine, issues } = open();
  const unlabelled = slice('shop/web', {
    metadata: { name: 'web-blue-x1', labels: { 'kubernetes.io/service-name': undefined } },
  });
  put(engine, service('shop/web'));
  put(engine, unlabelled);
  t.match(issues(), [/^EndpointSlice shop\/web-blue-x1: metadata\.labels/]);
  put(engine, slice('shop/web'));
  t.strictSame(issues(), []);
  remove(engine, slice('shop/web'));
  t.equal(issues().length, 1);
  remove(engine, unlabelled);
  t.strictSame(issues(), []);
  put(engine, unlabelled);
  t.equal(issues().length, 1);
  engine.replace('EndpointSlice', []);
  t.strictSame(issues(), [], 'a new list does not have it');
});

t.test('a slice without a Service is named where all Services are known', async (t) => {
  const { engine, issues } = open({ seesAllServices: true });
  put(engine, slice('shop/web'));
  put(engine, service('prod/web'));
  t.match(issues(), [/there is no Service shop\/web; Service prod\/web is in another namespace/]);
  put(engine, service('shop/web', { spec: { clusterIP: 'None', clusterIPs: ['None'] } }));
  t.strictSame(issues(), [], 'it is headless');
  remove(engine, service('shop/web'));
  t.equal(issues().length, 1);
  put(engine, service('shop/web', { spec: { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] } }));
  t.strictSame(issues(), []);
});
