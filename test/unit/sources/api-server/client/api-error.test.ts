// Tests of src/sources/api-server/client/api-error.ts.

import t from 'tap';
import { fromStatus, toApiError, toConnectionError } from '../../../../../src/sources/api-server/client/api-error.ts';

t.test('toApiError() uses the message of the Status object, or else the body or the status', async (t) => {
  const cases = [
    { body: '{"kind":"Status","message":"no","reason":"Forbidden"}', message: 'no' },
    { body: '{"kind":"Status","reason":"Forbidden"}', message: 'Forbidden' },
    { body: '  <html>proxy</html>\n', message: '<html>proxy</html>' },
    { body: '', message: 'HTTP status 403' },
  ];
  for (const { body, message } of cases) {
    t.match(toApiError({ status: 403, headers: {} }, { body, now: 0 }), {
      status: 403,
      message,
      retryAfterMs: undefined,
    });
  }
});

t.test('toApiError() reads Retry-After as seconds or a date, within limits', async (t) => {
  const now = Date.UTC(2026, 0, 1);
  const cases = [
    ['0', 0],
    ['7', 7_000],
    ['30', 30_000],
    ['86400', 30_000],
    ['9'.repeat(500), 30_000],
    ['Thu, 01 Jan 2026 00:00:20 GMT', 20_000],
    ['Thursday, 01-Jan-26 00:00:20 GMT', 20_000],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['2027-01-01', undefined],
    ['Mon, tomorrow', undefined],
  ] as const;
  for (const [header, retryAfterMs] of cases) {
    const error = toApiError({ status: 429, headers: { 'retry-after': header } }, { body: '', now });
    t.equal(error.retryAfterMs, retryAfterMs, header);
  }
});

t.test('messages of the server fit on one line of a log', async (t) => {
  const message = `no \u001b[31mred\n\nlines \u202etxt ${'x'.repeat(1_000_000)}`;
  for (const error of [
    toApiError({ status: 403, headers: {} }, { body: JSON.stringify({ message }), now: 0 }),
    toApiError({ status: 403, headers: {} }, { body: message, now: 0 }),
    fromStatus({ code: 403, message }),
  ]) {
    t.match(error.message, /^no \[31mred lines txt x+\.\.\.$/);
    t.equal(error.message.length, 200);
  }
});

t.test('fromStatus() reads the delay that a Status asks for, within limits', async (t) => {
  const delay = (retryAfterSeconds: unknown) => fromStatus({ code: 429, details: { retryAfterSeconds } }).retryAfterMs;
  t.strictSame([2, 1e9, 0, -1, Number.NaN, '5'].map(delay), [
    2_000,
    30_000,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

t.test('fromStatus() uses status 500 for a Status without a code', async (t) => {
  t.match(fromStatus({ code: 410, message: 'too old' }), { status: 410, message: 'too old' });
  t.match(fromStatus('nonsense'), { status: 500, message: 'status 500' });
});

t.test('toConnectionError() always has a message', async (t) => {
  t.match(toConnectionError(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })), {
    message: 'ECONNREFUSED',
  });
  t.match(toConnectionError(new Error('reset')), { message: 'reset' });
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  t.match(toConnectionError(expired), { message: 'TLS: certificate has expired' });
});
