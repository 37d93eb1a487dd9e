// Tests of src/nftables/syntax/listed/debug-listing.ts, with what nft 1.1.3 prints on a little-endian machine.

import t from 'tap';
import { type ElementRequest, parseDebugListing } from '../../../../../src/nftables/syntax/listed/debug-listing.ts';

const TABLES = ['table inet nftlane-lock', 'table ip nftlane', 'table ip6 nftlane'];
const KEY = '0500600a 00000006 00005000';
const KEY6 = '000000fd 00000000 00000000 01000000 00000006 00005000';

const WEB: ElementRequest = { name: 'service-ips', key: '10.96.0.5 . tcp . 80', hasData: true };
const SLOT: ElementRequest = { name: 'endpoints', key: '10.96.0.5 . tcp . 80 . 3', hasData: true };
const SLOT6: ElementRequest = { name: 'endpoints', key: 'fd00::1 . tcp . 80 . 7', hasData: true };
const NODE_PORT: ElementRequest = { name: 'nodeport-endpoints', key: 'udp . 30080 . 0', hasData: true };
const CLUSTER_IP: ElementRequest = { name: 'cluster-ips', key: '10.96.0.5', hasData: false };
const CATCH_ALL: ElementRequest = { name: 'service-ips', key: '*', hasData: true };

/** The lines about one request; without an element if the kernel has none. */
function printed(name: string, key: string, element?: string): string[] {
  const flags = key === '' ? 2 : 0;
  const request = [...TABLES, `${name} nftlane 0`, `\telement ${key}  : ${flags} [end]`];
  if (element === undefined) return request;
  const userdata = '  userdata = { \\x00\\x14demo/svc: 0 [end]\\x00 }';
  return [
    ...request,
    `ip nftlane @${name}`,
    `\telement ${key}  : ${element}${flags} [end]${userdata}`,
    'table ip nftlane {',
    `\tmap ${name} {`,
    '\t}',
    '}',
  ];
}

const CASES: readonly (readonly [ElementRequest, string[], string | undefined])[] = [
  [WEB, printed('service-ips', KEY, 'goto -> cluster-10 '), 'goto cluster-10'],
  [WEB, printed('service-ips', KEY, 'drop '), 'drop'],
  [WEB, printed('service-ips', KEY), undefined],
  [SLOT, printed('endpoints', `${KEY} 00000003`, '2200800a 0000901f '), '10.128.0.34 . 8080'],
  [
    SLOT6,
    printed('endpoints', `${KEY6} 00000007`, '010000fd 00000000 00000000 99000000 0000901f '),
    'fd00:1::99 . 8080',
  ],
  [NODE_PORT, printed('nodeport-endpoints', '00000011 00008075 00000000', '2200800a 00003500 '), '10.128.0.34 . 53'],
  [CLUSTER_IP, printed('cluster-ips', '0500600a', ''), ''],
  [CATCH_ALL, printed('service-ips', '', 'drop '), 'drop'],
  [CATCH_ALL, printed('service-ips', ''), undefined],
];

t.test('parseDebugListing() reads verdicts, endpoints and elements of sets, and which ones are absent', async (t) => {
  for (const [request, lines, data] of CASES)
    t.strictSame(parseDebugListing(lines, [request]), [data === undefined ? 'absent' : { data }], lines.join('\n'));
  const all = parseDebugListing(
    CASES.flatMap(([, lines]) => lines),
    CASES.map(([request]) => request),
  );
  t.strictSame(
    all,
    CASES.map(([, , data]) => (data === undefined ? 'absent' : { data })),
    'in one output',
  );
});

t.test('parseDebugListing() refuses what has another form', async (t) => {
  const element = 'goto -> cluster-10 ';
  const refused: Record<string, readonly [string[], ElementRequest]> = {
    'the other order of bytes': [printed('service-ips', '0a600005 06000000 00500000', element), WEB],
    'another key': [printed('service-ips', '0600600a 00000006 00005000', element), WEB],
    'another map': [printed('endpoints', KEY, element), WEB],
    'an answer for another key': [
      printed('service-ips', KEY, element).map((line, index) => (index === 6 ? line.replace('5000', '5100') : line)),
      WEB,
    ],
    'a value that is neither a verdict nor an endpoint': [printed('service-ips', KEY, '00000001 '), WEB],
    'a verdict that is not known': [printed('service-ips', KEY, 'queue '), WEB],
    'a set with values': [printed('cluster-ips', '0500600a', element), CLUSTER_IP],
    'addresses as text': [['service-ips nftlane 0', '\telement 10.96.0.5 . tcp . 80 : 0 [end]'], WEB],
    'no debugging output': [TABLES, WEB],
    'an answer too much': [[...printed('service-ips', KEY), ...printed('service-ips', KEY)], WEB],
  };
  for (const [what, [lines, request]] of Object.entries(refused))
    t.equal(parseDebugListing(lines, [request]), undefined, what);
});
