// Tests of src/events/event-writer.ts and event-object.ts, against an API server.

import t, { type Test } from 'tap';
import { eventRefOf } from '../../../src/events/event-object.ts';
import type { EventSpec } from '../../../src/events/event-spec.ts';
import { ApiEventWriter } from '../../../src/events/event-writer.ts';
import { loadApiClient, type RequestOutcome } from '../../../src/sources/api-server/client/api-client.ts';
import { startApiServer } from '../../support/api-server/api-server.ts';
import { service } from '../../support/api-server/reflector-fixture.ts';
import { eventSpec } from '../../support/builders/event-spec.ts';

const AT = Date.UTC(2026, 0, 1, 12, 0, 0, 7);
const ORIGIN = { nodeName: 'n1', at: AT };
const SIGNAL = new AbortController().signal;

const CONFLICT = eventSpec({
  regarding: { kind: 'Service', key: 'shop/web' },
  ...{ reason: 'FrontendConflict', action: 'Sync', note: 'another Service has it', scope: 'cluster' },
});
const STARTING: EventSpec = { ...CONFLICT, regarding: { kind: 'Node', key: 'n1' }, scope: 'node' };

async function open(t: Test) {
  const server = await startApiServer();
  const outcomes: RequestOutcome[] = [];
  const client = await loadApiClient({ kubeconfig: server.kubeconfigPath }, (outcome) => outcomes.push(outcome));
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  const create = (event: EventSpec, origin = ORIGIN) => {
    return new ApiEventWriter(client).create(event, eventRefOf(event, origin), origin, SIGNAL);
  };
  return { server, outcomes, writer: new ApiEventWriter(client), create };
}

t.test('ApiEventWriter creates an Event with the UID of its object', async (t) => {
  const { server, create, outcomes } = await open(t);
  server.put('Service', service('web'));
  server.put('Service', { ...service('web'), metadata: { namespace: 'other', name: 'web' } });
  await create(CONFLICT);
  const [[key = '', event] = []] = server.events.all;
  t.match(key, /^shop\/web\.[0-9a-f]{16}$/);
  t.match(event, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2026-01-01T12:00:00.007000Z',
    reportingController: 'nftlane',
    reportingInstance: 'nftlane-n1',
    type: 'Warning',
    reason: 'FrontendConflict',
    action: 'Sync',
    note: 'another Service has it',
    regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web', uid: 'uid-shop-web' },
  });
  t.match(outcomes, [
    { method: 'GET', status: 200 },
    { method: 'POST', status: 201 },
  ]);
  t.match(outcomes[1]?.host, /^127\.0\.0\.1:\d+$/);
});

t.test('ApiEventWriter creates Events of a Node in the default namespace, with its name as UID', async (t) => {
  const { server, create } = await open(t);
  await create(STARTING);
  const [[key = '', event] = []] = server.events.all;
  t.match(key, /^default\/n1\./);
  t.strictSame(event?.['regarding'], { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n1' });
});

t.test('ApiEventWriter creates an Event of an object that no longer exists', async (t) => {
  const { server, create } = await open(t);
  await create(CONFLICT);
  const [event] = server.events.all.values();
  t.strictSame(event?.['regarding'], { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'shop' });
});

t.test('nodes share an Event of scope cluster, and have their own of scope node', async (t) => {
  const { server, create } = await open(t);
  await create(CONFLICT);
  await create(CONFLICT, { nodeName: 'n2', at: AT + 5 });
  t.equal(server.events.all.size, 1);
  t.equal(server.events.requests.length, 2, 'a conflict with the existing Event is not a failure');
  await create(STARTING);
  await create(STARTING, { nodeName: 'n2', at: AT });
  t.equal(server.events.all.size, 3);
});

t.test('ApiEventWriter truncates notes and names to the limits of the API', async (t) => {
  const { server, create } = await open(t);
  const name = 'w'.repeat(253);
  await create({ ...CONFLICT, regarding: { kind: 'EndpointSlice', key: `shop/${name}` }, note: 'ä'.repeat(2000) });
  const [event] = server.events.all.values();
  t.match(String(event?.['note']), /^ä{500,}\.\.\.$/);
  t.notMatch(String(event?.['note']), /\uFFFD/);
});

t.test('ApiEventWriter updates the count and the time of a series', async (t) => {
  const { server, writer, create } = await open(t);
  await create(CONFLICT);
  const ref = eventRefOf(CONFLICT, ORIGIN);
  await writer.repeat(ref, { count: 3, lastAt: AT + 1000 }, SIGNAL);
  const [event] = server.events.all.values();
  t.match(event, {
    note: 'another Service has it',
    series: { count: 3, lastObservedTime: '2026-01-01T12:00:01.007000Z' },
  });
  server.events.all.clear();
  await t.rejects(writer.repeat(ref, { count: 4, lastAt: AT }, SIGNAL), { name: 'ApiError', status: 404 });
  server.events.refusals.push(403);
  await t.rejects(create(CONFLICT), { name: 'ApiError', status: 403 });
});
