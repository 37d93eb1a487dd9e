// Where a server listens, as an operator writes it.
import { type Address, familyOf, parseAddress } from './address.ts';

export interface BindAddress {
  readonly host: Address;
  /** 1 to 65535. */
  readonly port: number;
}

/**
 * Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; an IPv6 address with a port needs its brackets. `undefined` when
 * it is none of these: names are not looked up.
 */
export function parseBindAddress(text: string, defaultPort: number): BindAddress | undefined {
  const addressOnly = parseAddress(text);
  if (addressOnly !== undefined) return { host: addressOnly, port: defaultPort };
  const {
    bare: unbracketed,
    bracketed,
    digits,
  } = /^(?:\[(?<bracketed>[^\]]*)\]|(?<bare>[^:]*))(?::(?<digits>\d{1,5}))?$/.exec(text)?.groups ?? {};
  const host = parseAddress(bracketed ?? unbracketed ?? '');
  const port = digits === undefined ? defaultPort : Number(digits);
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port };
}

/** `ADDRESS:PORT`, an IPv6 address in brackets. */
export function printBindAddress({ host, port }: BindAddress): string {
  return familyOf(host) === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}
