// The sockets of this network namespace that accept connections or datagrams of any client.

import { open } from 'node:fs/promises';
import { type Address, addressFromBits } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';

/** A socket by its local address. */
export interface ListeningSocket {
  readonly protocol: Protocol;
  readonly address: Address;
  readonly port: number;
}

interface SocketTable {
  readonly path: string;
  readonly protocol: Protocol;
  readonly family: Family;
  /** The state of listening sockets: LISTEN of TCP; of UDP the one of unconnected sockets. */
  readonly state: string;
}

const TABLES: readonly SocketTable[] = [
  { path: '/proc/net/tcp', protocol: 'tcp', family: 'ip', state: '0A' },
  { path: '/proc/net/tcp6', protocol: 'tcp', family: 'ip6', state: '0A' },
  { path: '/proc/net/udp', protocol: 'udp', family: 'ip', state: '07' },
  { path: '/proc/net/udp6', protocol: 'udp', family: 'ip6', state: '07' },
];

/** Enough for 1,700 sockets. The kernel lists listening TCP sockets first, and a node has up to a million others. */
const MAX_BYTES = 256 * 1024;

/** The listening sockets among the first of their protocol. Tables that cannot be read are empty. */
export async function listeningSockets(): Promise<ListeningSocket[]> {
  const texts = await Promise.all(TABLES.map(({ path }) => readStart(path).catch(() => '')));
  return TABLES.flatMap((table, index) => parseSockets(texts[index] ?? '', table));
}

/** Reads lines of `/proc/net/tcp` and its siblings: the address is in hexadecimal, in words of the host's byte order. */
export function parseSockets(text: string, table: Omit<SocketTable, 'path'>): ListeningSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/ +/);
    const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (state !== table.state || hex === undefined || port === undefined) return [];
    const words = hex.match(/.{8}/g) ?? [];
    const bits = words.reduce((sum, word) => (sum << 32n) | BigInt(Buffer.from(word, 'hex').readUInt32LE()), 0n);
    const address = addressFromBits(bits, table.family);
    return [{ protocol: table.protocol, address, port: Number.parseInt(port, 16) }];
  });
}

async function readStart(path: string): Promise<string> {
  await using file = await open(path);
  const buffer = Buffer.alloc(MAX_BYTES);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, Math.min(16 * 1024, MAX_BYTES - length));
    length += bytesRead;
    if (bytesRead === 0 || length === MAX_BYTES) return buffer.toString('latin1', 0, length);
  }
}
