// Keeps an nft that hangs from delaying every check that needs it.

import { ExecError } from '../../host/process/exec.ts';
import type { System } from '../../host/process/system.ts';
import { NftOutcomeUnknown } from '../../nftables/client/nft-error.ts';

/** Listing 100,000 rules of iptables takes seconds, and longer on a machine under load. */
const TIMEOUT_MS = 30_000;

interface LimitedNft {
  readonly system: System;
  /** Tells about an error of a check. After one of an nft that hung or was killed, nft is not run again. */
  readonly failed: (error: unknown) => void;
}

/** The same system, whose nft gets half a minute for each call, until one has failed. */
export function limitNft(system: System, nft: string): LimitedNft {
  let reason: string | undefined;
  const run: System['run'] = (command, args, options = {}) => {
    if (command !== nft) return system.run(command, args, options);
    if (reason === undefined) return system.run(command, args, { ...options, timeoutMs: TIMEOUT_MS });
    return Promise.reject(new ExecError(`Not run again: ${reason}`, { kind: 'failed' }));
  };
  const failed = (error: unknown): void => {
    if (error instanceof NftOutcomeUnknown) reason ??= error.message;
  };
  return { system: { run, read: (path) => system.read(path) }, failed };
}
