// Tests of src/net/address-port.ts.

import t from 'tap';
import {
  type AddressPort,
  parseAddressPort,
  printAddressPort,
  printDestination,
} from '../../../src/net/address-port.ts';

const CASES: readonly [text: string, expected: AddressPort | undefined][] = [
  ['0.0.0.0:10256', { address: '0.0.0.0', port: 10256 }],
  ['127.0.0.1', { address: '127.0.0.1', port: 9 }],
  ['127.000.000.001:80', { address: '127.0.0.1', port: 80 }],
  ['[::]:80', { address: '::', port: 80 }],
  ['[FD00::1]', { address: 'fd00::1', port: 9 }],
  ['::', { address: '::', port: 9 }],
  ['fd00::1', { address: 'fd00::1', port: 9 }],
  ['[10.0.0.1]:80', { address: '10.0.0.1', port: 80 }],
  ['', undefined],
  [':80', undefined],
  ['localhost:80', undefined],
  ['10.0.0.1:', undefined],
  ['10.0.0.1:0', undefined],
  ['10.0.0.1:65535', { address: '10.0.0.1', port: 65535 }],
  ['10.0.0.1:65536', undefined],
  ['10.0.0.1:100000', undefined],
  ['10.0.0.1:+80', undefined],
  ['10.0.0.1:80 ', undefined],
  ['[::]80', undefined],
  ['[::', undefined],
];

t.test('parseAddressPort() reads an address, with or without a port', async (t) => {
  for (const [text, expected] of CASES) t.strictSame(parseAddressPort(text, 9), expected, `"${text}"`);
});

t.test('printAddressPort() prints the text that parseAddressPort() reads', async (t) => {
  for (const text of ['0.0.0.0:1', '[fd00::1]:65535']) {
    const address = parseAddressPort(text, 9);
    t.equal(address && printAddressPort(address), text);
  }
});

t.test('printDestination() appends the protocol', async (t) => {
  t.equal(printDestination({ address: '10.0.0.1', port: 80, protocol: 'tcp' }), '10.0.0.1:80/tcp');
  t.equal(printDestination({ address: 'fd00::1', port: 53, protocol: 'udp' }), '[fd00::1]:53/udp');
});
