// Tests of src/events/event-writer.ts and event-object.ts, against an API server.
import t, { type Test } from 'tap';
import { eventRefOf } from '../../../src/events/event-object.ts';
import type { EventSpec } from '../../../src/events/event-spec.ts';
import { ApiEventWriter } from '../../../src/events/event-writer.ts';
import { loadApiClient, type RequestOutcome } from '../../../src/sources/api-server/client/api-client.ts';
import { startApiServer } from '../../support/api-server/api-server.ts';
import { service } from '../../support/api-server/reflector-fixture.ts';

const AT = Date.UTC(2026, 0, 1, 12, 0, 0, 7);
const WHEN = { nodeName: 'n1', at: AT };
const SIGNAL = new AbortController().signal;

const TAKEN: EventSpec = {
  regarding: { kind: 'Service', key: 'shop/web' },
  type: 'Warning',
  reason: 'FrontendConflict',
  action: 'Sync',
  note: 'somebody else has it',
  scope: 'cluster',
};
const STARTING: EventSpec = { ...TAKEN, regarding: { kind: 'Node', key: 'n1' }, scope: 'node' };

async function open(t: Test) {
  const server = await startApiServer();
  const outcomes: RequestOutcome[] = [];
  const client = await loadApiClient({ kubeconfig: server.kubeconfigPath }, (outcome) => outcomes.push(outcome));
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  const create = (happening: EventSpec, when = WHEN) => {
    return new ApiEventWriter(client).create(happening, eventRefOf(happening, when), when, SIGNAL);
  };
  return { server, outcomes, writer: new ApiEventWriter(client), create };
}

t.test('ApiEventWriter creates an Event that names its object by UID, so that it is found', async (t) => {
  const { server, create, outcomes } = await open(t);
  server.put('Service', service('web'));
  server.put('Service', { ...service('web'), metadata: { namespace: 'other', name: 'web' } });
  await create(TAKEN);
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
    note: 'somebody else has it',
    regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web', uid: 'uid-shop-web' },
  });
  t.match(outcomes, [
    { method: 'GET', status: 200 },
    { method: 'POST', status: 201 },
  ]);
  t.match(outcomes[1]?.host, /^127\.0\.0\.1:\d+$/);
});

t.test('ApiEventWriter writes of a Node into the default namespace, by its name', async (t) => {
  const { server, create } = await open(t);
  await create(STARTING);
  const [[key = '', event] = []] = server.events.all;
  t.match(key, /^default\/n1\./);
  t.strictSame(event?.['regarding'], { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n1' });
});

t.test('ApiEventWriter writes of an object that is gone, too', async (t) => {
  const { server, create } = await open(t);
  await create(TAKEN);
  const [event] = server.events.all.values();
  t.strictSame(event?.['regarding'], { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'shop' });
});

t.test('what every node sees is one Event, what one sees is one for each', async (t) => {
  const { server, create } = await open(t);
  await create(TAKEN);
  await create(TAKEN, { nodeName: 'n2', at: AT + 5 });
  t.equal(server.events.all.size, 1);
  t.equal(server.events.requests.length, 2, 'the second was there already, which is no failure');
  await create(STARTING);
  await create(STARTING, { nodeName: 'n2', at: AT });
  t.equal(server.events.all.size, 3);
});

t.test('ApiEventWriter cuts notes and names to what the API takes', async (t) => {
  const { server, create } = await open(t);
  const name = 'w'.repeat(253);
  await create({ ...TAKEN, regarding: { kind: 'EndpointSlice', key: `shop/${name}` }, note: 'ä'.repeat(2000) });
  const [event] = server.events.all.values();
  t.match(String(event?.['note']), /^ä{500,}\.\.\.$/);
  t.notMatch(String(event?.['note']), /\uFFFD/);
});

t.test('ApiEventWriter repeats with a count and the last time', async (t) => {
  const { server, writer, create } = await open(t);
  await create(TAKEN);
  const place = eventRefOf(TAKEN, WHEN);
  await writer.repeat(place, { count: 3, lastAt: AT + 1000 }, SIGNAL);
  const [event] = server.events.all.values();
  t.match(event, {
    note: 'somebody else has it',
    series: { count: 3, lastObservedTime: '2026-01-01T12:00:01.007000Z' },
  });
  server.events.all.clear();
  await t.rejects(writer.repeat(place, { count: 4, lastAt: AT }, SIGNAL), { name: 'ApiError', status: 404 });
  server.events.refusals.push(403);
  await t.rejects(create(TAKEN), { name: 'ApiError', status: 403 });
});
