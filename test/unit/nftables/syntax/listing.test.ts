// Tests of src/nftables/syntax/listing.ts.

import t from 'tap';
import { ElementReader } from '../../../../src/nftables/syntax/listing.ts';

function read(listing: string) {
  const reader = new ElementReader();
  return listing.split('\n').flatMap((line) => reader.read(line));
}

/** As `nft list map` of version 1.1.3 prints it. */
const MAP = `table ip nftlane {
	map service-ips {
		typeof ip daddr . meta l4proto . th dport : verdict
		counter
		elements = { 10.96.0.1 . tcp . 80 counter packets 3 bytes 180 comment "shop/web:http" : goto cluster-3,
			     10.96.0.2 . udp . 53 counter packets 0 bytes 0 comment "kube-system/dns" : drop }
	}
}
`;

t.test('ElementReader reads a map with counters and comments', async (t) => {
  t.strictSame(read(MAP), [
    { key: '10.96.0.1 . tcp . 80', data: 'goto cluster-3', comment: 'shop/web:http', packets: 3 },
    { key: '10.96.0.2 . udp . 53', data: 'drop', comment: 'kube-system/dns', packets: 0 },
  ]);
});

const LISTS: readonly [about: string, listed: string, expected: [key: string, data: string, comment: string][]][] = [
  [
    'several elements on a line',
    'elements = { 10.96.0.1, 10.96.0.2,\n10.96.0.3, 10.96.0.4 }',
    ['10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4'].map((key) => [key, '', '']),
  ],
  ['one element', 'elements = { 10.96.0.1 comment "a/b" }', [['10.96.0.1', '', 'a/b']]],
  ['brackets on lines of their own', 'elements = {\n10.96.0.1,\n}', [['10.96.0.1', '', '']]],
  [
    'commas, colons and brackets inside comments',
    'elements = { 10.96.0.1 comment "a, b : drop }",\n10.96.0.2 comment ", ," : drop }',
    [
      ['10.96.0.1', '', 'a, b : drop }'],
      ['10.96.0.2', 'drop', ', ,'],
    ],
  ],
  [
    'IPv6',
    'elements = { fd00::1 . tcp . 80 . 0 counter packets 0 bytes 0 comment "x" : fd00::2 . 8080,\n:: . tcp . 1 . 2 : ::1 . 1 }',
    [
      ['fd00::1 . tcp . 80 . 0', 'fd00::2 . 8080', 'x'],
      [':: . tcp . 1 . 2', '::1 . 1', ''],
    ],
  ],
  ['timeouts', 'elements = { 10.0.0.1 timeout 3h expires 2h59m : drop }', [['10.0.0.1', 'drop', '']]],
  ['no elements', 'typeof ip daddr\n}', []],
];

t.test('ElementReader reads all forms of lists', async (t) => {
  for (const [about, listed, expected] of LISTS) {
    const found = read(listed).map(({ key, data, comment }) => [key, data, comment]);
    t.strictSame(found, expected, about);
  }
});

/** Lists of elements with protocols as numbers, or with ports that are the numbers of protocols. */
const NUMBERS: readonly (readonly [listed: string, key: string, data: string])[][] = [
  [
    ['10.0.0.1 . 6 . 80 : drop', '10.0.0.1 . tcp . 80', 'drop'],
    ['10.0.0.1 . 17 . 6 . 132 : 10.1.0.1 . 17', '10.0.0.1 . udp . 6 . 132', '10.1.0.1 . 17'],
    ['132 . 80 : drop', 'sctp . 80', 'drop'],
    ['6 . 6 . 6 : 10.1.0.1 . 6', 'tcp . 6 . 6', '10.1.0.1 . 6'],
  ],
  [
    ['10.1.0.1 . 10.1.0.1 . 17 . 17', '10.1.0.1 . 10.1.0.1 . udp . 17', ''],
    ['fd00::6 . fd00::6 . 6 . 132', 'fd00::6 . fd00::6 . tcp . 132', ''],
  ],
  [
    ['10.0.0.1 . tcp . 17 . 0 : 10.1.0.1 . 6', '10.0.0.1 . tcp . 17 . 0', '10.1.0.1 . 6'],
    ['tcp . 6 . 17 : 10.1.0.1 . 6', 'tcp . 6 . 17', '10.1.0.1 . 6'],
    ['udp . 132 . 6 : 10.1.0.1 . 1', 'udp . 132 . 6', '10.1.0.1 . 1'],
  ],
];

t.test('ElementReader names protocols, but not ports with the same numbers', async (t) => {
  for (const list of NUMBERS) {
    const found = read(`elements = { ${list.map(([listed]) => listed).join(', ')} }`);
    t.strictSame(
      found,
      list.map(([, key, data]) => ({ key, data, comment: '', packets: 0 })),
    );
  }
});

t.test('ElementReader leaves the list at its end', async (t) => {
  t.strictSame(read('elements = { 10.0.0.1 }\n}\n}\nelements = { 10.0.0.2 }').length, 2);
});
