// An IP address with a port: `10.0.0.1:80`, `[fd00::1]:80`.

import { type Address, familyOf, parseAddress } from './address.ts';
import type { Protocol } from './protocol.ts';

export interface AddressPort {
  readonly address: Address;
  readonly port: number;
}

/**
 * Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT` with a port from 1 to 65535; an IPv6 address with a port needs brackets.
 * Returns `undefined` for anything else, host names included.
 */
export function parseAddressPort(text: string, defaultPort: number): AddressPort | undefined {
  const addressOnly = parseAddress(text);
  if (addressOnly !== undefined) return { address: addressOnly, port: defaultPort };
  const [, bracketed, unbracketed, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = parseAddress(bracketed ?? unbracketed ?? '');
  const port = digits === undefined ? defaultPort : Number(digits);
  return address === undefined || port < 1 || port > 65535 ? undefined : { address, port };
}

/** `ADDRESS:PORT`; an IPv6 address is put in brackets. */
export function printAddressPort({ address, port }: AddressPort): string {
  return familyOf(address) === 'ip6' ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `ADDRESS:PORT/PROTOCOL`, as operators write the destination of a connection. */
export function printDestination({ address, port, protocol }: AddressPort & { readonly protocol: Protocol }): string {
  return `${printAddressPort({ address, port })}/${protocol}`;
}
