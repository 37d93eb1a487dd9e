// Letting a server listen, with a reason in words where it cannot.
import type { Server } from 'node:net';
import { EnvironmentError } from '../../lib/operational-error.ts';
import { type AddressPort, printAddressPort } from '../../net/address-port.ts';

export interface ListenAddress extends AddressPort {
  /** `::` takes connections of IPv4 as well, unless this is set. */
  readonly ipv6Only: boolean;
}

/** It cannot listen. The message says where, and why. */
export class ListenError extends EnvironmentError {
  override readonly name = 'ListenError';
}

/** Resolves when it listens, or was closed meanwhile. Rejects with {@link ListenError}; it can be tried again then. */
export function listen(server: Server, { address, port, ipv6Only }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      server.off('error', fail).off('listening', done).off('close', done);
    };
    const done = (): void => {
      settle();
      resolve();
    };
    const fail = (cause: NodeJS.ErrnoException): void => {
      settle();
      reject(
        new ListenError(`Cannot listen at ${printAddressPort({ address, port })}: ${describeListenError(cause)}`, {
          cause,
        }),
      );
    };
    // Closed meanwhile, it will never say that it listens.
    server.once('error', fail).once('listening', done).once('close', done);
    server.listen({ host: address, port, ipv6Only });
  });
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'no interface of this node has this address',
  EAFNOSUPPORT: 'this node has no IPv6',
  EACCES: 'this process is not allowed to',
};

function describeListenError({ code = '', message }: NodeJS.ErrnoException): string {
  return LISTEN_ERRORS[code] ?? message;
}
