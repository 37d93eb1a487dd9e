// Whether a client of a server is this node itself.

import { hostAddresses } from './host-addresses.ts';

/** Addresses are read again after this time, and only for a client that needs it: a node has an interface for each pod. */
const MAX_AGE_MS = 5_000;
const MAPPED_PREFIX = '::ffff:';

/** The IPv4 address of a client that a server of both families reports as mapped to IPv6. */
export function unmapped(address: string): string {
  return address.startsWith(MAPPED_PREFIX) ? address.slice(MAPPED_PREFIX.length) : address;
}

/** Another host cannot complete a handshake from one of these addresses: the kernel drops such packets. */
export class LocalClients {
  readonly #read: () => readonly string[];
  readonly #now: () => number;
  #addresses: ReadonlySet<string> = new Set();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(read: () => readonly string[] = hostAddresses, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  /** `local` is the address at which the client was accepted. Both may be IPv4 addresses mapped to IPv6. */
  has(remote: string, local: string | undefined): boolean {
    if (remote === local) return true;
    const address = unmapped(remote);
    if (address.startsWith('127.') || address === '::1') return true;
    if (this.#now() - this.#readAt > MAX_AGE_MS) {
      this.#readAt = this.#now();
      this.#addresses = new Set(this.#read());
    }
    return this.#addresses.has(address);
  }
}
