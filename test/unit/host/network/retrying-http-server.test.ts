// Tests of src/host/network/retrying-http-server.ts.

import t from 'tap';
import { ConnectionGuard } from '../../../../src/host/network/connection-guard.ts';
import { RetryingHttpServer } from '../../../../src/host/network/retrying-http-server.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { occupy, outcome } from '../../../support/http-client.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const RESPONSE = { status: 204, headers: {}, body: '' };

function serverAt(port: number, { hardFail = false } = {}) {
  const { log, lines } = recordLog();
  const clock = fastClock(1000);
  const address = { address: '127.0.0.1', port, bothFamilies: true };
  const guard = new ConnectionGuard({ remote: { max: 5, maxPerSource: 5 }, local: { max: 5 } });
  const limits = { guard, respond: () => RESPONSE };
  return {
    server: new RetryingHttpServer({ ...address, ...limits, name: 'test', hardFail, clock, log }),
    clock,
    lines,
  };
}

t.test('RetryingHttpServer retries every five seconds, and logs failure and success once', async (t) => {
  const { port, release } = await occupy(0, '127.0.0.1');
  const { server, clock, lines } = serverAt(port);
  t.teardown(() => server.close());
  await server.open();
  await waitUntil('attempts', () => clock.sleeps.length >= 3);
  t.equal(server.port, undefined);
  t.strictSame(clock.sleeps.slice(0, 3), [5_000, 5_000, 5_000]);
  const reason = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  const failure = { server: 'test', reason, retryInMs: 5_000 };
  t.strictSame(lines, [{ level: 'error', message: 'HTTP server cannot listen', details: failure }]);
  await release();
  await waitUntil('port', () => server.port === port);
  t.equal(await outcome({ port }), 204);
  const success = { server: 'test', address: `127.0.0.1:${port}` };
  t.strictSame(lines.slice(1), [{ level: 'info', message: 'HTTP server listens now', details: success }]);
});

t.test('RetryingHttpServer logs nothing when the first attempt succeeds', async (t) => {
  const { server, lines } = serverAt(0);
  await server.open();
  t.type(server.port, 'number');
  t.strictSame(lines, []);
  server.close();
  t.equal(server.port, undefined);
});

t.test('RetryingHttpServer stops retrying when it is closed', async (t) => {
  const { port, release } = await occupy(0, '127.0.0.1');
  const { server, clock } = serverAt(port);
  await server.open();
  server.close();
  await release();
  const { length } = clock.sleeps;
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(clock.sleeps.length, length);
  t.equal(server.port, undefined);
});

t.test('RetryingHttpServer fails with hardFail', async (t) => {
  const { port, release } = await occupy(0, '127.0.0.1');
  const { server, clock, lines } = serverAt(port, { hardFail: true });
  await t.rejects(server.open(), { name: 'ListenError' });
  t.strictSame([clock.sleeps, lines], [[], []]);
  await release();
});
