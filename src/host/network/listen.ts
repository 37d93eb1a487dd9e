// Makes a server listen and explains why it cannot.

import type { Server } from 'node:net';
import { EnvironmentError } from '../../lib/operational-error.ts';
import { type AddressPort, printAddressPort } from '../../net/address-port.ts';

export interface ListenAddress extends AddressPort {
  /** Without it, `::` accepts IPv4 connections too. */
  readonly ipv6Only: boolean;
}

/** The message contains the address and the reason. */
export class ListenError extends EnvironmentError {
  override readonly name = 'ListenError';
}

/** Resolves when the server listens or is closed. Rejects with {@link ListenError}; the call can then be repeated. */
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
    // A server that is closed first never emits `listening`.
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
