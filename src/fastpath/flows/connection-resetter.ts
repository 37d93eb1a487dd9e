// Connections to pods that are no more: nft is told of them, and resets them.

import type { Log } from '../../host/log.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { familyOf } from '../../net/address.ts';
import { FAMILIES } from '../../net/family.ts';
import { NftProgram } from '../../nftables/client/nft-program.ts';
import { RESET_CONNECTIONS_SIZE, resetConnections } from '../../nftables/compile/sets-and-maps.ts';
import { concat } from '../../nftables/syntax/element.ts';
import { OperationLines } from '../../nftables/syntax/operation.ts';
import type { LoaderClient } from '../loader/loader-client.ts';
import type { FlowEntry } from '../maps/entries.ts';

export interface ConnectionResetterParts {
  readonly programs: Pick<LoaderClient, 'flowsThrough'>;
  readonly nft: string;
  readonly log: Log;
}

const TIMEOUT_MS = 10_000;

/**
 * Without it the next segment of such a connection would be given to any endpoint: another pod answers with a reset, but
 * the pod itself may be chosen, as long as it is listed, and then nobody answers.
 */
export class ConnectionResetter {
  readonly #parts: ConnectionResetterParts;

  constructor(parts: ConnectionResetterParts) {
    this.#parts = parts;
  }

  /**
   * Has the connections through these devices reset with their next segment. To be called before their slots are freed:
   * then nft knows them by the time that it sees them. Only a loader that fails rejects; where nft fails, a pod that
   * still lives may reset them.
   */
  async resetThrough(devices: readonly number[]): Promise<void> {
    const flows = (await this.#parts.programs.flowsThrough(devices)).filter(isConnected);
    if (flows.length === 0) return;
    const error = await this.#load(nftLinesOf(flows)).catch(errorMessage);
    const { log } = this.#parts;
    if (error === undefined) log.info('connections to pods that have gone are reset', { connections: flows.length });
    else log.warn('connections to pods that have gone may hang', { connections: flows.length, reason: error });
  }

  /** A process of its own, for the daemon's session may be at work on a load. Says why it could not be done. */
  async #load(lines: readonly string[]): Promise<string | undefined> {
    const nft = new NftProgram({ command: this.#parts.nft, timeoutMs: TIMEOUT_MS });
    return (await nft.apply(`${lines.join('\n')}\n`))[0]?.message;
  }
}

/** A client that has had no answer yet begins anew by itself, and one of a connection that is over expects none. */
function isConnected({ protocol, state }: FlowEntry): boolean {
  return protocol === 'tcp' && state !== 'new' && state !== 'closed';
}

/** One transaction, for there is little time. The kernel would refuse all of it where there are more than it takes. */
function nftLinesOf(flows: readonly FlowEntry[]): string[] {
  const page = new OperationLines();
  for (const family of FAMILIES) {
    const object = resetConnections(family);
    const ofFamily = flows.filter(({ client }) => familyOf(client.address) === family).slice(0, RESET_CONNECTIONS_SIZE);
    for (const { client, other } of ofFamily) {
      const key = concat(client.address, client.port, other.address, other.port);
      page.add({ object, key, data: '', comment: '', owner: '' });
    }
  }
  return page.finish();
}
