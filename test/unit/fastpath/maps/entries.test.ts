// Tests of src/fastpath/maps/entries.ts, hex.ts and layout.ts.

import t from 'tap';
import {
  type BackendValue,
  decodeBackend,
  decodeFlow,
  decodeFrontend,
  decodeFrontendKey,
  encodeBackend,
  encodeConfig,
  encodeFrontend,
  encodeFrontendKey,
  encodeSource,
  encodeU32,
  encodeUplink,
  type FrontendKey,
} from '../../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../../src/fastpath/maps/hex.ts';
import {
  CONFIG,
  encodeStruct,
  FLOW,
  FLOW_KEY,
  MAX_FRONTEND_BACKENDS,
  readNumber,
  readNumbers,
} from '../../../../src/fastpath/maps/layout.ts';
import { TIMEOUT_SECONDS } from '../../../support/bpf/map-requests.ts';

t.test('decodeFrontend() and decodeFrontendKey() reverse their encoders', async (t) => {
  const keys: readonly FrontendKey[] = [
    { address: '192.0.2.1', port: 80, protocol: 'tcp' },
    { address: 'fd00::1', port: 65_535, protocol: 'udp' },
  ];
  for (const key of keys) t.strictSame(decodeFrontendKey(encodeFrontendKey(key)), key);
  t.equal(
    toHex(encodeFrontendKey({ address: '192.0.2.1', port: 80, protocol: 'tcp' })),
    `${'0'.repeat(20)}ffffc000020100500600`,
  );
  for (const slots of [[], [1], Array.from({ length: MAX_FRONTEND_BACKENDS }, (_, i) => i * 70)]) {
    for (const suspended of [true, false]) {
      const frontend = { svc: 4_000_000_000, suspended, slots };
      t.equal(encodeFrontend(frontend).length, 128);
      t.strictSame(decodeFrontend(encodeFrontend(frontend)), frontend);
    }
  }
  const tooMany = Array.from({ length: MAX_FRONTEND_BACKENDS + 1 }, (_, i) => i);
  t.throws(() => encodeFrontend({ svc: 1, suspended: false, slots: tooMany }), RangeError);
});

t.test('decodeBackend() reverses encodeBackend()', async (t) => {
  const backend: BackendValue = {
    address: '10.0.0.9',
    port: 8080,
    protocol: 'udp',
    flags: 1,
    ifindex: 12,
    gen: 7,
    svc: 3,
    l3if: 4,
    mtu: 1450,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    gatewayMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
  };
  for (const address of ['10.0.0.9', 'fd00:1::9', '::1']) {
    t.strictSame(decodeBackend(encodeBackend({ ...backend, address })), { ...backend, address });
  }
  t.throws(() => encodeBackend({ ...backend, mac: Uint8Array.of(1) }), /mac": 1 bytes/);
});

t.test('encodeConfig() rounds seconds up to ticks', async (t) => {
  const timeouts = { ...TIMEOUT_SECONDS, fragments: 1 };
  const bytes = encodeConfig({ create: true, timeouts });
  t.equal(readNumber(CONFIG, bytes, 'flags'), 1);
  t.equal(readNumbers(CONFIG, bytes, 'timeouts')[6], 954);
  t.equal(readNumbers(CONFIG, bytes, 'timeouts')[2], 411_987_305);
  t.equal(readNumber(CONFIG, encodeConfig({ create: false, timeouts }), 'flags'), 0);
});

t.test(
  'encodeSource(), encodeUplink() and encodeU32() write host byte order, and addresses as on the wire',
  async (t) => {
    t.equal(toHex(encodeSource('10.0.0.0', 8)), `${toHex(encodeU32(8))}0a000000`);
    t.equal(toHex(encodeSource('fd00::', 16)), `${toHex(encodeU32(16))}fd00${'0'.repeat(28)}`);
    t.strictSame(encodeUplink(1500), encodeU32(1500));
  },
);

t.test('decodeFlow() reads both endpoints, the translation and the state', async (t) => {
  const state = (...bytes: readonly number[]) => Uint8Array.from(bytes);
  for (const [bytes, name] of [
    [state(0, 0, 0, 0), 'new'],
    [state(1, 0, 0, 0), 'answered'],
    [state(2, 0, 0, 0), 'established'],
    [state(2, 1, 0, 0), 'closing'],
    [state(2, 0, 1, 0), 'closing'],
    [state(2, 1, 1, 0), 'closed'],
    [state(0, 0, 0, 3), 'closed'],
  ] as const) {
    const key = encodeStruct(FLOW_KEY.ip, {
      client: Uint8Array.of(198, 51, 100, 7),
      other: Uint8Array.of(192, 0, 2, 1),
      client_port: 4000,
      other_port: 80,
      proto: 17,
      dir: 0,
    });
    const value = encodeStruct(FLOW.ip, {
      other: Uint8Array.of(10, 0, 0, 9),
      next_hop: Uint8Array.of(192, 0, 2, 254),
      other_port: 8080,
      client_port: 4001,
      slot: 3,
      mtu: 1500,
      gen: 2,
      oif: 5,
      last: 4_294_967_295,
      state: bytes,
    });
    t.strictSame(decodeFlow('ip', key, value), {
      direction: 'original',
      protocol: 'udp',
      client: { address: '198.51.100.7', port: 4000 },
      other: { address: '192.0.2.1', port: 80 },
      translated: { address: '10.0.0.9', port: 8080, clientPort: 4001 },
      slot: 3,
      gen: 2,
      oif: 5,
      nextHop: '192.0.2.254',
      mtu: 1500,
      lastTicks: 4_294_967_295,
      state: name,
    });
  }
});

t.test('fromHex() reverses toHex() and rejects other text', async (t) => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  t.strictSame(fromHex(toHex(all)), all);
  t.equal(toHex(Uint8Array.of(0, 171)), '00ab');
  for (const text of ['0', 'AB', 'zz', ' 00']) t.throws(() => fromHex(text), RangeError);
});
