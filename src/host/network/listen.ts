// Makes a server listen and explains why it cannot.

import type { ListenOptions, Server } from 'node:net';
import { errorMessage } from '../../lib/error-message.ts';
import { EnvironmentError } from '../../lib/operational-error.ts';
import type { Address } from '../../net/address.ts';
import { type AddressPort, printAddressPort } from '../../net/address-port.ts';

export interface ListenAddress extends AddressPort {
  /** Whether 0.0.0.0 and `::` both mean every address of both families, as in Go, and so in kube-proxy. */
  readonly bothFamilies: boolean;
}

/** The message contains the address and the reason. */
export class ListenError extends EnvironmentError {
  override readonly name = 'ListenError';
}

const ANY_OF_BOTH = '::';
const ANY: readonly Address[] = ['0.0.0.0', ANY_OF_BOTH];

/** Resolves when the server listens or is closed. Rejects with {@link ListenError}; the call can then be repeated. */
export async function listen(server: Server, { address, port, bothFamilies }: ListenAddress): Promise<void> {
  const isAny = bothFamilies && ANY.includes(address);
  try {
    await listenAt(server, { host: isAny ? ANY_OF_BOTH : address, port, ipv6Only: !isAny }).catch((error: unknown) => {
      if (!isAny || codeOf(error) !== 'EAFNOSUPPORT') throw error;
      return listenAt(server, { host: '0.0.0.0', port });
    });
  } catch (cause) {
    const at = printAddressPort({ address, port });
    const reason = LISTEN_ERRORS[codeOf(cause)] ?? errorMessage(cause);
    throw new ListenError(`Cannot listen at ${at}: ${reason}`, { cause });
  }
}

function listenAt(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      server.off('error', fail).off('listening', done).off('close', done);
    };
    const done = (): void => {
      settle();
      resolve();
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    // A server that is closed first never emits `listening`.
    server.once('error', fail).once('listening', done).once('close', done);
    server.listen(options);
  });
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'no interface of this node has this address',
  EAFNOSUPPORT: 'this node has no IPv6',
  EACCES: 'this process is not allowed to',
};

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
