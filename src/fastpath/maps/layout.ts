// Layouts of the structs in bpf/shared.h. A test compares them with the type information of the built programs.

import { type Address, addressBits, addressFromBits, familyOf } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';

/** A number in host or network byte order, or plain bytes. */
type FieldEncoding = 'host' | 'network' | 'bytes';

interface Field {
  readonly name: string;
  readonly offset: number;
  /** In bytes; of one number if the field is an array. */
  readonly size: number;
  readonly count: number;
  readonly encoding: FieldEncoding;
}

interface StructLayout {
  /** The name in C. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly fields: readonly Field[];
}

/** Values of the fields by name. */
type StructValues = Readonly<Record<string, number | readonly number[] | Uint8Array>>;

/** Version of the maps: FP_SCHEMA. */
export const SCHEMA = 1;
export const MAX_FRONTENDS = 16_384;
export const MAX_BACKENDS = 4096;
/** Limit of one frontend. */
export const MAX_FRONTEND_BACKENDS = 56;
/** 64-bit words of the port bitmap: first the ports of frontends, then those of backends. */
export const PORT_WORDS = 2048;
export const BACKEND_PORTS_OFFSET = 1024;
/** Nanoseconds per tick, the programs' unit of time. */
export const TICK_NS = 2 ** 20;
export const FRONTEND_SUSPENDED = 1;
export const BACKEND_NEIGH = 1;
/** The next datagram of a UDP client goes to another backend; replies in flight are still forwarded. */
export const BACKEND_REPLY_ONLY = 2;
export const CONFIG_CREATE = 1;
export const DIR_REPLY = 1;

/** Order of the timeouts in fp_config. */
export const TIMEOUTS = [
  'tcpSyn',
  'tcpAnswered',
  'tcpEstablished',
  'tcpClosed',
  'udpNew',
  'udpAnswered',
  'fragments',
] as const;

type FieldSpec = readonly [name: string, size: number, encoding: FieldEncoding, count?: number];

const address4 = (name: string): FieldSpec => [name, 4, 'bytes'];
const address6 = (name: string): FieldSpec => [name, 16, 'bytes'];
const hostNumbers = (size: number, ...names: readonly string[]): FieldSpec[] =>
  names.map((name) => [name, size, 'host']);
const ports = (...names: readonly string[]): FieldSpec[] => names.map((name) => [name, 2, 'network']);

function flowKey(name: string, address: (name: string) => FieldSpec): StructLayout {
  return layout(name, [
    address('client'),
    address('other'),
    ...ports('client_port', 'other_port'),
    ...hostNumbers(1, 'proto', 'dir'),
    ...hostNumbers(2, 'zero'),
  ]);
}

function flow(name: string, address: (name: string) => FieldSpec): StructLayout {
  return layout(name, [
    address('other'),
    address('next_hop'),
    ...ports('other_port', 'client_port'),
    ...hostNumbers(2, 'slot', 'mtu'),
    ...hostNumbers(4, 'gen', 'oif', 'last', 'probed'),
    ['state', 4, 'bytes'],
  ]);
}

export const FRONTEND_KEY = layout('fp_frontend_key', [
  ['addr', 16, 'bytes'],
  ...ports('port'),
  ...hostNumbers(1, 'proto', 'zero'),
]);

export const FRONTEND = layout('fp_frontend', [
  ['svc', 4, 'host'],
  ...hostNumbers(2, 'count', 'flags'),
  ['slots', 2, 'host', MAX_FRONTEND_BACKENDS],
  ['zero', 8, 'bytes'],
]);

export const BACKEND = layout('fp_backend', [
  ['addr', 16, 'bytes'],
  ...ports('port'),
  ...hostNumbers(1, 'proto', 'flags'),
  ...hostNumbers(4, 'ifindex', 'gen', 'svc', 'l3if'),
  ['mtu', 2, 'host'],
  ['mac', 6, 'bytes'],
  ['gateway_mac', 6, 'bytes'],
  ['zero', 2, 'host'],
]);

export const FLOW_KEY: Readonly<Record<Family, StructLayout>> = {
  ip: flowKey('fp_flow4_key', address4),
  ip6: flowKey('fp_flow6_key', address6),
};

export const FLOW: Readonly<Record<Family, StructLayout>> = {
  ip: flow('fp_flow4', address4),
  ip6: flow('fp_flow6', address6),
};

export const FLOW_STATE = layout('fp_flow_state', hostNumbers(1, 'seen', 'client_fin', 'backend_fin', 'reset'));

export const SOURCE_KEY: Readonly<Record<Family, StructLayout>> = {
  ip: layout('fp_source4_key', [...hostNumbers(4, 'prefix'), address4('addr')]),
  ip6: layout('fp_source6_key', [...hostNumbers(4, 'prefix'), address6('addr')]),
};

export const CONFIG = layout('fp_config', [
  ['flags', 4, 'host'],
  ['timeouts', 4, 'host', TIMEOUTS.length],
]);

export const UPLINK = layout('fp_uplink', hostNumbers(4, 'mtu'));

export const SLOT_COUNT = layout('fp_slot_count', hostNumbers(8, 'created', 'answered'));

/** All layouts, for tests. */
export const LAYOUTS: readonly StructLayout[] = [
  FRONTEND_KEY,
  FRONTEND,
  BACKEND,
  FLOW_KEY.ip,
  FLOW_KEY.ip6,
  FLOW.ip,
  FLOW.ip6,
  FLOW_STATE,
  SOURCE_KEY.ip,
  SOURCE_KEY.ip6,
  CONFIG,
  UPLINK,
  SLOT_COUNT,
];

function layout(name: string, specs: readonly FieldSpec[]): StructLayout {
  let size = 0;
  const fields = specs.map(([name, bytes, encoding, count = 1]) => {
    const field: Field = { name, offset: size, size: bytes, count, encoding };
    size += bytes * count;
    return field;
  });
  return { name, size, fields };
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Encodes a struct. Missing fields are 0. Throws a RangeError for bytes or arrays of the wrong length. */
export function encodeStruct({ name, size, fields }: StructLayout, values: StructValues): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const field of fields) {
    const value = values[field.name] ?? 0;
    if (value instanceof Uint8Array) {
      if (value.length !== field.size)
        throw new RangeError(`Cannot encode field "${name}.${field.name}": ${value.length} bytes`);
      bytes.set(value, field.offset);
    } else if (field.encoding !== 'bytes') {
      const numbers = typeof value === 'number' ? [value] : value;
      if (numbers.length > field.count)
        throw new RangeError(`Cannot encode field "${name}.${field.name}": ${numbers.length} values`);
      for (const [i, number] of numbers.entries()) writeNumber(view, field, { i, number });
    }
  }
  return bytes;
}

/** Reads a number; the first of an array. */
export function readNumber(layout: StructLayout, bytes: Uint8Array, name: string): number {
  return numberAt(bytes, fieldOf(layout, name));
}

/** Reads all numbers of an array. */
export function readNumbers(layout: StructLayout, bytes: Uint8Array, name: string): number[] {
  const field = fieldOf(layout, name);
  return Array.from({ length: field.count }, (_, i) =>
    numberAt(bytes, { ...field, offset: field.offset + i * field.size }),
  );
}

/** Reads the bytes of a field. */
export function readBytes(layout: StructLayout, bytes: Uint8Array, name: string): Uint8Array {
  const { offset, size, count } = fieldOf(layout, name);
  return bytes.subarray(offset, offset + size * count);
}

function fieldOf({ name: struct, fields }: StructLayout, name: string): Field {
  const field = fields.find((field) => field.name === name);
  if (field === undefined) throw new RangeError(`Cannot read field "${name}" of "${struct}": no such field`);
  return field;
}

function writeNumber(view: DataView, field: Field, { i, number }: { i: number; number: number }): void {
  const at = field.offset + i * field.size;
  const isLittleEndian = field.encoding === 'host' && IS_LITTLE_ENDIAN;
  if (field.size === 1) view.setUint8(at, number);
  else if (field.size === 2) view.setUint16(at, number, isLittleEndian);
  else if (field.size === 4) view.setUint32(at, number, isLittleEndian);
  else view.setBigUint64(at, BigInt(number), isLittleEndian);
}

function numberAt(bytes: Uint8Array, { offset, size, encoding }: Field): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittleEndian = encoding === 'host' && IS_LITTLE_ENDIAN;
  if (size === 1) return view.getUint8(offset);
  if (size === 2) return view.getUint16(offset, isLittleEndian);
  return size === 4 ? view.getUint32(offset, isLittleEndian) : Number(view.getBigUint64(offset, isLittleEndian));
}

/** 4 or 16 bytes in network byte order. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(familyOf(address) === 'ip' ? 4 : 16);
  let bits = addressBits(address);
  for (let i = bytes.length - 1; i >= 0; i--, bits >>= 8n) bytes[i] = Number(bits & 255n);
  return bytes;
}

/** 16 bytes in network byte order; an IPv4 address is v4-mapped. */
export function v4MappedBytes(address: Address): Uint8Array {
  const bytes = addressBytes(address);
  return bytes.length === 16 ? bytes : new Uint8Array([...new Uint8Array(10), 255, 255, ...bytes]);
}

/** Decodes 4 or 16 bytes. A v4-mapped address becomes an IPv4 address. */
export function addressOf(bytes: Uint8Array): Address {
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255;
  const significant = isMapped && bytes[11] === 255 ? bytes.subarray(12) : bytes;
  if (significant.length === 4) return significant.join('.');
  return addressFromBits(
    significant.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n),
    'ip6',
  );
}
