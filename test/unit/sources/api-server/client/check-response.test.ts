// Tests of src/sources/api-server/client/check-response.ts.

import t from 'tap';
import { checkContent, redirectTarget } from '../../../../../src/sources/api-server/client/check-response.ts';

const FROM = new URL('https://10.0.0.1:6443/api/v1/services?watch=1');

t.test('redirectTarget() follows to the same server only', async (t) => {
  const target = (location: string | undefined, status = 302) =>
    redirectTarget({ status, headers: location === undefined ? {} : { location } }, FROM)?.href;
  t.equal(target('/k8s/api/v1/services?watch=1', 307), 'https://10.0.0.1:6443/k8s/api/v1/services?watch=1');
  t.equal(target('https://10.0.0.1:6443/other'), 'https://10.0.0.1:6443/other');
  t.equal(target('https://elsewhere/', 200), undefined);
  t.equal(target('https://elsewhere/', 304), undefined);
  for (const location of [
    'http://10.0.0.1:6443/api',
    'https://10.0.0.1/api',
    'https://10.0.0.1:6443@elsewhere/',
    '//elsewhere/api',
    'file:///etc/passwd',
  ]) {
    const message = /^HTTP status 302: redirects to ".*", which would receive the credentials$/;
    t.throws(() => target(location), { name: 'ConnectionError', message }, location);
  }
  for (const location of [undefined, 'http://', 'https://[::']) {
    t.throws(() => target(location), { message: 'HTTP status 302: a redirect without a usable location' });
  }
});

t.test('checkContent() accepts JSON as it is', async (t) => {
  const check = (headers: Record<string, string>, status = 200) => checkContent({ status, headers });
  for (const type of ['application/json', 'application/json;stream=watch', 'application/json; charset=utf-8']) {
    t.doesNotThrow(() => check({ 'content-type': type }), type);
  }
  t.doesNotThrow(() => check({}));
  t.doesNotThrow(() => check({ 'content-type': 'text/html' }, 502), 'the status says more');
  t.doesNotThrow(() => check({ 'content-encoding': 'identity' }));
  t.throws(() => check({ 'content-type': 'text/html; charset=utf-8' }), {
    message: 'the response is "text/html; charset=utf-8", not JSON: is there a proxy before the API server?',
  });
  for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
    const message = `the response is encoded ("${encoding}")`;
    t.throws(() => check({ 'content-encoding': encoding }), { message });
    t.throws(() => check({ 'content-encoding': encoding }, 500), { message });
  }
});
