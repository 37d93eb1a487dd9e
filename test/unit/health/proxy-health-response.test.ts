// Tests of src/health/proxy-health-response.ts.

import t from 'tap';
import { type ProxyHealthState, proxyHealthResponse } from '../../../src/health/proxy-health-response.ts';

const THEN = Date.parse('2026-02-03T04:05:06.700Z');
const NOW = Date.parse('2026-02-03T04:05:08.009Z');
const GOOD: ProxyHealthState = {
  now: NOW,
  healthy: true,
  upToDate: true,
  lastSynced: THEN,
  nodeEligible: true,
  families: ['ip', 'ip6'],
};
const HEADERS = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };

const [then, now, never] = ['2026-02-03T04:05:06.700Z', '2026-02-03T04:05:08.009Z', '0001-01-01T00:00:00Z'];
const family = (healthy: boolean) => `{"lastUpdated":"${then}","healthy":${healthy}}`;
const families = (healthy: boolean) => `"status":{"IPv4":${family(healthy)},"IPv6":${family(healthy)}}`;

const CASES: readonly [about: string, path: '/healthz' | '/livez', state: object, status: number, body: string][] = [
  ['healthy', '/healthz', {}, 200, `"${now}","${now}",true,true,${families(true)}`],
  [
    'one family',
    '/healthz',
    { families: ['ip'] },
    200,
    `"${now}","${now}",true,true,"status":{"IPv4":${family(true)}}`,
  ],
  ['healthy', '/livez', {}, 200, `"${now}","${now}",,true,${families(true)}`],
  [
    'the node is being deleted',
    '/healthz',
    { nodeEligible: false },
    503,
    `"${then}","${now}",false,true,${families(true)}`,
  ],
  ['the node is being deleted', '/livez', { nodeEligible: false }, 200, `"${now}","${now}",,true,${families(true)}`],
  ['syncs fail', '/healthz', { upToDate: false }, 503, `"${then}","${now}",true,false,${families(false)}`],
  ['syncs fail', '/livez', { upToDate: false }, 200, `"${now}","${now}",,true,${families(true)}`],
  ['syncs fail for long', '/livez', { healthy: false }, 503, `"${then}","${now}",,false,${families(false)}`],
  ['no sync yet', '/healthz', { lastSynced: undefined }, 503, `"${never}","${now}",true,false`],
  ['no sync yet', '/livez', { lastSynced: undefined }, 200, `"${now}","${now}",,true`],
  [
    'the first sync fails',
    '/livez',
    { lastSynced: undefined, healthy: false, upToDate: false },
    503,
    `"${never}","${now}",,false`,
  ],
];

/** Adds the names of the fields; an empty field is omitted. */
function withNames(values: string): string {
  const names = ['lastUpdated', 'currentTime', 'nodeEligible', 'healthy'];
  const parts = values.split(',');
  const named = names.flatMap((name, index) => (parts[index] === '' ? [] : [`"${name}":${parts[index]}`]));
  return `{${[...named, ...parts.slice(names.length)].join(',')}}`;
}

t.test('proxyHealthResponse() responds as kube-proxy does', async (t) => {
  for (const [about, path, state, status, body] of CASES) {
    const expected = { status, headers: HEADERS, body: withNames(body) };
    t.strictSame(proxyHealthResponse(path, { ...GOOD, ...state }), expected, `${path}: ${about}`);
  }
});

t.test('proxyHealthResponse() mentions objects that are not current, and is as healthy as before', async (t) => {
  const sourceProblem = { cause: 'unreachable', subject: 'API server', forMs: 7_999_000, reason: '192.0.2.1' } as const;
  for (const path of ['/healthz', '/livez'] as const) {
    const { status, body } = proxyHealthResponse(path, { ...GOOD, sourceProblem });
    t.equal(status, 200);
    t.match(JSON.parse(body), { healthy: true, stale: 'API server unreachable for 2h13m' });
    t.notMatch(body, /192\.0\.2\.1/);
  }
});
