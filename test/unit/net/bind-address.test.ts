// Tests of src/net/bind-address.ts.
import t from 'tap';
import { type BindAddress, parseBindAddress, printBindAddress } from '../../../src/net/bind-address.ts';

const CASES: readonly [text: string, expected: BindAddress | undefined][] = [
  ['0.0.0.0:10256', { host: '0.0.0.0', port: 10256 }],
  ['127.0.0.1', { host: '127.0.0.1', port: 9 }],
  ['127.000.000.001:80', { host: '127.0.0.1', port: 80 }],
  ['[::]:80', { host: '::', port: 80 }],
  ['[FD00::1]', { host: 'fd00::1', port: 9 }],
  ['::', { host: '::', port: 9 }],
  ['fd00::1', { host: 'fd00::1', port: 9 }],
  ['[10.0.0.1]:80', { host: '10.0.0.1', port: 80 }],
  ['', undefined],
  [':80', undefined],
  ['localhost:80', undefined],
  ['10.0.0.1:', undefined],
  ['10.0.0.1:0', undefined],
  ['10.0.0.1:65535', { host: '10.0.0.1', port: 65535 }],
  ['10.0.0.1:65536', undefined],
  ['10.0.0.1:100000', undefined],
  ['10.0.0.1:+80', undefined],
  ['10.0.0.1:80 ', undefined],
  ['[::]80', undefined],
  ['[::', undefined],
];

t.test('parseBindAddress() reads an address, with or without a port', async (t) => {
  for (const [text, expected] of CASES) t.strictSame(parseBindAddress(text, 9), expected, `"${text}"`);
});

t.test('printBindAddress() prints what parseBindAddress() reads', async (t) => {
  for (const text of ['0.0.0.0:1', '[fd00::1]:65535']) {
    const address = parseBindAddress(text, 9);
    t.equal(address && printBindAddress(address), text);
  }
});
