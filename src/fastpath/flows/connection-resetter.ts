// Resets connections to deleted pods, through nftables.

import type { Log } from '../../host/log.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { familyOf } from '../../net/address.ts';
import { FAMILIES } from '../../net/family.ts';
import { RESET_CONNECTIONS_SIZE, resetConnections } from '../../nftables/compile/sets-and-maps.ts';
import { concat } from '../../nftables/syntax/element.ts';
import { OperationLines } from '../../nftables/syntax/operation.ts';
import type { LoaderClient } from '../loader/loader-client.ts';
import type { FlowEntry } from '../maps/entries.ts';

interface ConnectionResetterOptions {
  readonly loader: Pick<LoaderClient, 'flowsThrough'>;
  /** Changes our tables in one transaction. */
  readonly applyToTables: (lines: readonly string[]) => Promise<void>;
  readonly log: Log;
}

/**
 * Without a reset, nftables sends the next segment of such a connection to any endpoint. Another pod answers with a reset,
 * but the deleted pod itself may be chosen while it is still listed, and then the client gets no answer.
 */
export class ConnectionResetter {
  readonly #options: ConnectionResetterOptions;

  constructor(options: ConnectionResetterOptions) {
    this.#options = options;
  }

  /**
   * Has nftables reset the connections through these devices with their next segment. Call it before their slots are
   * freed, so that the connections are known when nftables gets their packets. Rejects if the loader fails; a failure of
   * nft is only logged, as another pod may still reset the connections.
   */
  async resetThrough(devices: readonly number[]): Promise<void> {
    const flows = (await this.#options.loader.flowsThrough(devices)).filter(isConnected);
    if (flows.length === 0) return;
    const { applyToTables, log } = this.#options;
    try {
      await applyToTables(nftLinesOf(flows));
      log.info('resetting connections to deleted pods', { count: flows.length });
    } catch (error) {
      log.warn('connections to deleted pods may hang', { count: flows.length, reason: errorMessage(error) });
    }
  }
}

/** A client without an answer retries by itself, and a closed connection needs no reset. */
function isConnected({ protocol, state }: FlowEntry): boolean {
  return protocol === 'tcp' && state !== 'new' && state !== 'closed';
}

/** One transaction, which is fastest. The kernel refuses all of it if it exceeds the size of the set. */
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
