// Logs the node's addresses, pod CIDRs and zone, and their changes.

import type { Engine } from '../engine/engine.ts';
import type { Log } from '../host/log.ts';
import { isLoopback } from '../net/address.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import { nodePortBlocks } from '../services/model/node-port-addresses.ts';
import type { SyncObserver } from './sync-observer.ts';

interface NodeLoggerOptions {
  readonly engine: Pick<Engine, 'node' | 'options' | 'hostAddresses'>;
  readonly log: Log;
}

/** Logs after a commit, if anything changed. */
export class NodeLogger implements SyncObserver {
  readonly #options: NodeLoggerOptions;
  #logged = '';
  #loggedWarnings = '';

  constructor(options: NodeLoggerOptions) {
    this.#options = options;
  }

  committed(): void {
    const { engine, log } = this.#options;
    const { addresses, detectLocal, zone } = engine.node;
    const known = FAMILIES.map((family) => addresses[family]).filter((address) => !isLoopback(address));
    const pods = detectLocal.by === 'source' ? Object.values(detectLocal.prefixes) : [detectLocal.name];
    const now = { addresses: known, pods, ...(zone === undefined ? {} : { zone }) };
    const text = JSON.stringify(now);
    if (text === this.#logged) return;
    log.info(this.#logged === '' ? 'node configuration' : 'node configuration changed', now);
    this.#logged = text;
    this.#warn();
  }

  /** Warns about configuration that is valid but probably unintended. */
  #warn(): void {
    const { engine, log } = this.#options;
    const warnings = [...this.#addressWarnings(), ...unrestrictedFamilyWarnings(engine), ...podWarnings(engine)];
    const text = JSON.stringify(warnings);
    if (text !== this.#loggedWarnings && warnings.length > 0) log.warn('questionable node configuration', { warnings });
    this.#loggedWarnings = text;
  }

  #addressWarnings(): string[] {
    const { engine } = this.#options;
    if (!engine.options.nodePortAddresses.includes('primary')) return [];
    const { addresses, nodePortIps } = engine.node;
    if (FAMILIES.every((family) => isLoopback(addresses[family]))) {
      return ['the address of this node is unknown, so every address accepts node ports: set --bind-address'];
    }
    return FAMILIES.flatMap((family) => {
      const address = addresses[family];
      const isElsewhere = nodePortIps[family] !== 'any' && !engine.hostAddresses.includes(address);
      const reason = `no interface has ${address}, so only packets that are routed to this node reach node ports over`;
      return isElsewhere && !isLoopback(address) ? [`${reason} ${FAMILY_TRAITS[family].label}`] : [];
    });
  }
}

/** The families in which the node has an address. */
function addressedFamilies({ families, addresses }: NodeLoggerOptions['engine']['node']): Family[] {
  return families.filter((family) => !isLoopback(addresses[family]));
}

/** CIDRs of one family do not restrict the other, as in kube-proxy. */
function unrestrictedFamilyWarnings({ node, options }: NodeLoggerOptions['engine']): string[] {
  const blocks = nodePortBlocks(options.nodePortAddresses);
  if (blocks.length === 0 || options.nodePortAddresses.includes('all')) return [];
  const isOpen = (family: Family) =>
    node.nodePortIps[family] === 'any' && !blocks.some((block) => block.family === family);
  return addressedFamilies(node)
    .filter(isOpen)
    .map((family) => {
      const label = FAMILY_TRAITS[family].label;
      return `every ${label} address accepts node ports: nodePortAddresses has no ${label} CIDR`;
    });
}

function podWarnings({ node, options }: NodeLoggerOptions['engine']): string[] {
  const { detectLocal } = node;
  if (detectLocal.by !== 'source' || options.masqueradeAll) return [];
  const isOfNode = options.detectLocal.mode === 'NodeCIDR';
  const field = isOfNode ? 'podCIDRs of the Node' : 'clusterCIDR';
  if (Object.keys(detectLocal.prefixes).length === 0) {
    const reason = isOfNode ? `there are no ${field}` : `${field} is empty`;
    return [`pods are not distinguished from other clients, so traffic to cluster IPs is not masqueraded: ${reason}`];
  }
  const without = addressedFamilies(node).filter((family) => detectLocal.prefixes[family] === undefined);
  return without.map((family) => {
    const label = FAMILY_TRAITS[family].label;
    return `${label} traffic to cluster IPs is not masqueraded: ${field} has no ${label} CIDR`;
  });
}
