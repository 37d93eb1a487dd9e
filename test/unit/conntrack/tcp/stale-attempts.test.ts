// Tests of src/conntrack/tcp/stale-attempts.ts.

import t from 'tap';
import type { AttemptState, ConntrackEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import {
  type AttemptContext,
  mayBeAnswered,
  staleAttemptReason,
} from '../../../../src/conntrack/tcp/stale-attempts.ts';
import { familyOf } from '../../../../src/net/address.ts';
import { parseAddressPort } from '../../../../src/net/address-port.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { put, remove } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const CLIENT = '198.18.0.1';
const NODE = '192.0.2.1';
const OTHER_NODE = '192.0.2.2';

const WEB = service('shop/web', {
  spec: { type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }] },
});
const EMPTY = service('shop/empty', {
  spec: { clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.2'], ports: [{ port: 80, protocol: 'TCP' }] },
});

function endpoints(...hosts: readonly number[]): ApiObject {
  const ports = [{ name: '', protocol: 'TCP', port: 8080 }];
  return slice('shop/web', { ports, endpoints: hosts.map((n) => endpoint(`10.1.0.${n}`)) });
}

/** An attempt of the client to a destination that answers from `from`; without translation, both are equal. */
function attempt(to: string, from = to, state: AttemptState = 'SYN_SENT'): ConntrackEntry {
  const [frontend, server] = [parseAddressPort(to, 0), parseAddressPort(from, 0)];
  const [destination, source] = [frontend?.address ?? '', server?.address ?? ''];
  return {
    family: familyOf(destination),
    protocol: 'tcp',
    state,
    original: { source: CLIENT, sourcePort: 1000, destination, destinationPort: frontend?.port ?? 0 },
    reply: { source, sourcePort: server?.port ?? 0, destination: CLIENT, destinationPort: 1000 },
  };
}

function installedEngine(...objects: readonly ApiObject[]) {
  const engine = engineOf(objects);
  commitAll(engine);
  return engine;
}

function contextOf(engine: AttemptContext['engine']): AttemptContext {
  return { engine, nodeAddresses: new Set([NODE]) };
}

t.test('staleAttemptReason() returns why an attempt cannot succeed', async (t) => {
  const context = contextOf(installedEngine(WEB, EMPTY, endpoints(1, 2)));
  const cases = [
    { to: '10.96.0.1:80', from: '10.96.0.1:80', why: 'the attempt to 10.96.0.1:80 is older than this frontend' },
    { to: `${NODE}:30080`, from: `${NODE}:30080`, why: `the attempt to ${NODE}:30080 is older than this frontend` },
    { to: '10.96.0.1:80', from: '10.1.0.9:8080', why: '10.1.0.9:8080 is not an endpoint of 10.96.0.1:80' },
    { to: '10.96.0.1:80', from: '10.1.0.1:81', why: '10.1.0.1:81 is not an endpoint of 10.96.0.1:80' },
    { to: `${NODE}:30080`, from: '10.1.0.9:8080', why: `10.1.0.9:8080 is not an endpoint of ${NODE}:30080` },
    { to: '10.96.0.2:80', from: '10.1.0.9:80', why: '10.1.0.9:80 is not an endpoint of 10.96.0.2:80, which has none' },
  ];
  for (const { to, from, why } of cases) t.equal(staleAttemptReason(attempt(to, from), context), why);
});

t.test('staleAttemptReason() ignores valid attempts and those of other destinations', async (t) => {
  const context = contextOf(installedEngine(WEB, EMPTY, endpoints(1, 2)));
  const cases = [
    { to: '10.96.0.1:80', from: '10.1.0.1:8080', why: 'it goes to an endpoint' },
    { to: `${NODE}:30080`, from: '10.1.0.2:8080', why: 'it goes to an endpoint' },
    { to: '10.96.0.1:81', from: '10.96.0.1:81', why: 'no frontend has this port' },
    { to: '10.96.0.2:80', from: '10.96.0.2:80', why: 'no endpoint can answer it' },
    { to: `${OTHER_NODE}:30080`, from: `${OTHER_NODE}:30080`, why: 'it is an address of another host' },
    { to: `${OTHER_NODE}:30080`, from: '10.1.0.9:8080', why: 'another host translated it' },
    { to: '[fd00::1]:80', from: '[fd00::1]:80', why: 'no frontend of this family' },
    { to: '10.1.0.9:8080', from: '10.1.0.9:8080', why: 'it goes to a pod' },
  ];
  for (const { to, from, why } of cases) t.equal(staleAttemptReason(attempt(to, from), context), undefined, why);
});

t.test('staleAttemptReason() takes closed connections only if they were never translated', async (t) => {
  const context = contextOf(installedEngine(WEB, endpoints(1)));
  const closed = (to: string, from?: string) => staleAttemptReason(attempt(to, from, 'CLOSE'), context);
  t.type(closed('10.96.0.1:80'), 'string');
  t.type(closed(`${NODE}:30080`), 'string');
  t.equal(closed('10.96.0.1:80', '10.1.0.9:8080'), undefined);
});

t.test(
  'mayBeAnswered() is false for refused attempts, and for those to a cluster IP that no endpoint has',
  async (t) => {
    const context = contextOf(installedEngine(WEB, endpoints(1)));
    const cases = [
      { to: '10.96.0.1:80', from: '10.1.0.9:8080', expected: true },
      { to: `${NODE}:30080`, expected: true },
      { to: '10.96.0.1:80', expected: false },
      { to: `${NODE}:30080`, state: 'CLOSE', expected: false },
    ] as const;
    for (const { to, from = to, state, expected } of cases.map((each) => ({
      from: each.to,
      state: undefined,
      ...each,
    })))
      t.equal(mayBeAnswered(attempt(to, from, state), context), expected, `${to} ${from}`);
  },
);

t.test('staleAttemptReason() accepts both the state before and after a running sync', async (t) => {
  const engine = installedEngine(WEB, endpoints(1));
  const context = contextOf(engine);
  put(engine, endpoints(2));
  engine.compile();
  t.equal(staleAttemptReason(attempt('10.96.0.1:80', '10.1.0.1:8080'), context), undefined, 'before');
  t.equal(staleAttemptReason(attempt('10.96.0.1:80', '10.1.0.2:8080'), context), undefined, 'after');
  t.type(staleAttemptReason(attempt('10.96.0.1:80', '10.1.0.3:8080'), context), 'string', 'neither');
  commitAll(engine);
  t.type(staleAttemptReason(attempt('10.96.0.1:80', '10.1.0.1:8080'), context), 'string', 'committed');
  remove(engine, WEB);
  engine.compile();
  t.equal(staleAttemptReason(attempt('10.96.0.1:80'), context), undefined, 'the frontend is removed');
  commitAll(engine);
  put(engine, WEB);
  engine.compile();
  t.equal(staleAttemptReason(attempt('10.96.0.1:80'), context), undefined, 'the frontend is not installed yet');
  engine.invalidate();
  t.equal(staleAttemptReason(attempt('10.96.0.1:80', '10.1.0.9:8080'), context), undefined, 'the kernel is not known');
});

t.test('staleAttemptReason() knows the endpoints of this node for the Local policy', async (t) => {
  const spec = {
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }],
  };
  const ports = [{ name: '', protocol: 'TCP', port: 8080 }];
  const local = { ...endpoint('10.1.0.1'), nodeName: 'n1' };
  const remote = { ...endpoint('10.1.0.2'), nodeName: 'n2' };
  const objects = [service('shop/web', { spec }), slice('shop/web', { ports, endpoints: [local, remote] })];
  const context = contextOf(installedEngine(...objects));
  for (const host of [1, 2]) {
    const entry = attempt(`${NODE}:30080`, `10.1.0.${host}:8080`);
    t.equal(staleAttemptReason(entry, context), undefined, `host ${host}: pods of this node may use both`);
  }
  t.type(staleAttemptReason(attempt(`${NODE}:30080`, '10.1.0.3:8080'), context), 'string');
});

t.test('staleAttemptReason() reads each frontend once in a scan', async (t) => {
  const engine = installedEngine(WEB, endpoints(1, 2));
  let lookups = 0;
  const counted = {
    isKernelKnown: true,
    lookup: {
      slots: engine.lookup.slots.bind(engine.lookup),
      installed: (...[object, key]: Parameters<typeof engine.lookup.installed>) => {
        lookups++;
        return engine.lookup.installed(object, key);
      },
    },
  };
  const context = { ...contextOf(counted), cache: new Map() };
  t.type(staleAttemptReason(attempt('10.96.0.1:80'), context), 'string');
  const first = lookups;
  for (let n = 0; n < 100; n++) t.type(staleAttemptReason(attempt('10.96.0.1:80'), context), 'string');
  t.equal(lookups, first);
});
