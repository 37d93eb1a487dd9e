// Encodes and decodes the entries of the maps that the daemon shares with the programs.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';
import {
  addressBytes,
  addressOf,
  BACKEND,
  CONFIG,
  CONFIG_CREATE,
  DIR_REPLY,
  encodeStruct,
  FLOW,
  FLOW_KEY,
  FLOW_STATE,
  FRONTEND,
  FRONTEND_KEY,
  FRONTEND_SUSPENDED,
  MAX_FRONTEND_BACKENDS,
  readBytes,
  readNumber,
  readNumbers,
  SOURCE_KEY,
  TICK_NS,
  TIMEOUTS,
  UPLINK,
  v4MappedBytes,
} from './layout.ts';

/** Without SCTP: BPF has no helper for its checksum. */
export type FastPathProtocol = Exclude<Protocol, 'sctp'>;

export interface FrontendKey {
  readonly address: Address;
  readonly port: number;
  readonly protocol: FastPathProtocol;
}

export interface FrontendValue {
  /** Number of the Service port, shared with its backends. */
  readonly svc: number;
  /** nftables serves new flows. */
  readonly suspended: boolean;
  /** At most {@link MAX_FRONTEND_BACKENDS}. */
  readonly slots: readonly number[];
}

export interface BackendValue {
  readonly address: Address;
  readonly port: number;
  readonly protocol: FastPathProtocol;
  /** BACKEND_NEIGH and BACKEND_REPLY_ONLY, or 0. */
  readonly flags: number;
  /** The pod's device on the node. */
  readonly ifindex: number;
  /** 0: the slot is free. */
  readonly gen: number;
  readonly svc: number;
  /** The device with the pod's gateway address: the pod's device or its bridge. */
  readonly l3if: number;
  /** MTU of the pod's device. */
  readonly mtu: number;
  /** MAC addresses of the pod and of its gateway: six bytes each. */
  readonly mac: Uint8Array;
  readonly gatewayMac: Uint8Array;
}

/** Seconds after its last packet at which a flow in each state expires. */
export type Timeouts = Readonly<Record<(typeof TIMEOUTS)[number], number>>;

export interface Config {
  /** The programs take new flows. */
  readonly create: boolean;
  readonly timeouts: Timeouts;
}

/** One direction of a flow. */
export interface FlowEntry {
  readonly direction: 'original' | 'reply';
  readonly protocol: FastPathProtocol;
  readonly client: { readonly address: Address; readonly port: number };
  /** The client's peer: the frontend in original direction, the backend in reply direction. */
  readonly other: { readonly address: Address; readonly port: number };
  /** Replaces the peer, and the client's port. */
  readonly translated: { readonly address: Address; readonly port: number; readonly clientPort: number };
  readonly slot: number;
  readonly gen: number;
  readonly oif: number;
  readonly nextHop: Address;
  readonly mtu: number;
  /** Time of the last packet, in ticks of the kernel's monotonic clock modulo 2^32. */
  readonly lastTicks: number;
  readonly state: 'new' | 'answered' | 'established' | 'closing' | 'closed';
}

const PROTOCOL_NUMBERS: Readonly<Record<FastPathProtocol, number>> = { tcp: 6, udp: 17 };

export function encodeFrontendKey({ address, port, protocol }: FrontendKey): Uint8Array {
  return encodeStruct(FRONTEND_KEY, { addr: v4MappedBytes(address), port, proto: PROTOCOL_NUMBERS[protocol] });
}

export function decodeFrontendKey(bytes: Uint8Array): FrontendKey {
  return {
    address: addressOf(readBytes(FRONTEND_KEY, bytes, 'addr')),
    port: readNumber(FRONTEND_KEY, bytes, 'port'),
    protocol: protocolOf(readNumber(FRONTEND_KEY, bytes, 'proto')),
  };
}

/** Throws a RangeError for more than {@link MAX_FRONTEND_BACKENDS} slots. */
export function encodeFrontend({ svc, suspended, slots }: FrontendValue): Uint8Array {
  if (slots.length > MAX_FRONTEND_BACKENDS)
    throw new RangeError(`Cannot encode frontend: ${slots.length} slots exceed the limit of ${MAX_FRONTEND_BACKENDS}`);
  return encodeStruct(FRONTEND, { svc, count: slots.length, flags: suspended ? FRONTEND_SUSPENDED : 0, slots });
}

export function decodeFrontend(bytes: Uint8Array): FrontendValue {
  const count = readNumber(FRONTEND, bytes, 'count');
  return {
    svc: readNumber(FRONTEND, bytes, 'svc'),
    suspended: (readNumber(FRONTEND, bytes, 'flags') & FRONTEND_SUSPENDED) !== 0,
    slots: readNumbers(FRONTEND, bytes, 'slots').slice(0, count),
  };
}

export function encodeBackend({ address, protocol, gatewayMac, ...rest }: BackendValue): Uint8Array {
  const { port, flags, ifindex, gen, svc, l3if, mtu, mac } = rest;
  const [addr, proto] = [v4MappedBytes(address), PROTOCOL_NUMBERS[protocol]];
  return encodeStruct(BACKEND, {
    addr,
    port,
    proto,
    flags,
    ifindex,
    gen,
    svc,
    l3if,
    mtu,
    mac,
    gateway_mac: gatewayMac,
  });
}

export function decodeBackend(bytes: Uint8Array): BackendValue {
  const number = (name: string) => readNumber(BACKEND, bytes, name);
  return {
    address: addressOf(readBytes(BACKEND, bytes, 'addr')),
    port: number('port'),
    protocol: protocolOf(number('proto')),
    flags: number('flags'),
    ifindex: number('ifindex'),
    gen: number('gen'),
    svc: number('svc'),
    l3if: number('l3if'),
    mtu: number('mtu'),
    mac: readBytes(BACKEND, bytes, 'mac'),
    gatewayMac: readBytes(BACKEND, bytes, 'gateway_mac'),
  };
}

export function encodeConfig({ create, timeouts }: Config): Uint8Array {
  const ticks = TIMEOUTS.map((name) => Math.ceil((timeouts[name] * 1e9) / TICK_NS));
  return encodeStruct(CONFIG, { flags: create ? CONFIG_CREATE : 0, timeouts: ticks });
}

export function encodeUplink(mtu: number): Uint8Array {
  return encodeStruct(UPLINK, { mtu });
}

/** The key of an excluded source. */
export function encodeSource(address: Address, prefixLength: number): Uint8Array {
  const addr = addressBytes(address);
  return encodeStruct(SOURCE_KEY[addr.length === 4 ? 'ip' : 'ip6'], { prefix: prefixLength, addr });
}

/** A key or value that is one 32-bit number: a slot, an ifindex, an index into the port bitmap. */
export function encodeU32(number: number): Uint8Array {
  return new Uint8Array(new Uint32Array([number]).buffer);
}

/** Decodes an entry of `flows_v4` or `flows_v6`. */
export function decodeFlow(family: Family, key: Uint8Array, value: Uint8Array): FlowEntry {
  const [keyLayout, layout] = [FLOW_KEY[family], FLOW[family]];
  const protocol = protocolOf(readNumber(keyLayout, key, 'proto'));
  return {
    direction: readNumber(keyLayout, key, 'dir') === DIR_REPLY ? 'reply' : 'original',
    protocol,
    client: {
      address: addressOf(readBytes(keyLayout, key, 'client')),
      port: readNumber(keyLayout, key, 'client_port'),
    },
    other: { address: addressOf(readBytes(keyLayout, key, 'other')), port: readNumber(keyLayout, key, 'other_port') },
    translated: {
      address: addressOf(readBytes(layout, value, 'other')),
      port: readNumber(layout, value, 'other_port'),
      clientPort: readNumber(layout, value, 'client_port'),
    },
    slot: readNumber(layout, value, 'slot'),
    gen: readNumber(layout, value, 'gen'),
    oif: readNumber(layout, value, 'oif'),
    nextHop: addressOf(readBytes(layout, value, 'next_hop')),
    mtu: readNumber(layout, value, 'mtu'),
    lastTicks: readNumber(layout, value, 'last'),
    state: stateOf(readBytes(layout, value, 'state')),
  };
}

function stateOf(state: Uint8Array): FlowEntry['state'] {
  const [seen, clientFin, backendFin, reset] = ['seen', 'client_fin', 'backend_fin', 'reset'].map((name) =>
    readNumber(FLOW_STATE, state, name),
  );
  if (reset || (clientFin && backendFin)) return 'closed';
  if (clientFin || backendFin) return 'closing';
  if (seen === 0) return 'new';
  return seen === 1 ? 'answered' : 'established';
}

function protocolOf(number: number): FastPathProtocol {
  return number === PROTOCOL_NUMBERS.udp ? 'udp' : 'tcp';
}
