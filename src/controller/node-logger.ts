// Logs the node's addresses, pod CIDRs and zone, and their changes.

import type { Engine } from '../engine/engine.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import type { Log } from '../host/log.ts';
import { type Address, isLoopback } from '../net/address.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import { nodePortBlocks } from '../services/model/node-port-addresses.ts';
import type { Commit, SyncObserver } from './sync-observer.ts';

interface NodeLoggerOptions {
  readonly engine: Pick<Engine, 'node' | 'options' | 'hostAddresses'>;
  /** Reads the addresses of the host: the engine may have older ones. */
  readonly readAddresses: () => readonly Address[];
  readonly log: Log;
}

/** Logs after a commit, if anything changed. */
export class NodeLogger implements SyncObserver {
  readonly #options: NodeLoggerOptions;
  #logged = '';
  #loggedWarnings = '';
  /** The families in which a Service has had a cluster IP. */
  readonly #used = new Set<Family>();

  constructor(options: NodeLoggerOptions) {
    this.#options = options;
  }

  committed({ services }: Pick<Commit, 'services'>): void {
    const { engine, log } = this.#options;
    for (const change of services) this.#addFamilies(change);
    const { addresses, detectLocal, zone } = engine.node;
    const known = FAMILIES.map((family) => addresses[family]).filter((address) => !isLoopback(address));
    const pods = detectLocal.by === 'source' ? Object.values(detectLocal.prefixes) : [detectLocal.name];
    const now = { addresses: known, pods, ...(zone === undefined ? {} : { zone }) };
    const text = JSON.stringify(now);
    if (text !== this.#logged) log.info(this.#logged === '' ? 'node configuration' : 'node configuration changed', now);
    this.#logged = text;
    this.#warn();
  }

  #addFamilies(change: ServiceChange): void {
    if (this.#used.size === FAMILIES.length || change.state === 'absent') return;
    for (const family of FAMILIES) if (change.service.clusterIps[family] !== undefined) this.#used.add(family);
  }

  /** The families of this machine that Services use; all of them while there is no Service. */
  get #families(): Family[] {
    const { families } = this.#options.engine.node;
    return families.filter((family) => this.#used.size === 0 || this.#used.has(family));
  }

  /** Warns about configuration that is valid but probably unintended. */
  #warn(): void {
    const { engine, log } = this.#options;
    const families = this.#families.filter((family) => !isLoopback(engine.node.addresses[family]));
    const warnings = [
      ...this.#addressWarnings(families),
      ...unrestrictedFamilyWarnings(engine, families),
      ...podWarnings(engine, families),
    ];
    const text = JSON.stringify(warnings);
    if (text === this.#loggedWarnings) return;
    if (warnings.length > 0) log.warn('questionable node configuration', { warnings });
    else if (this.#loggedWarnings !== '') log.info('node configuration is not questionable any more');
    this.#loggedWarnings = warnings.length > 0 ? text : '';
  }

  #isOfHost(address: Address): boolean {
    const { engine, readAddresses } = this.#options;
    return engine.hostAddresses.includes(address) || readAddresses().includes(address);
  }

  #addressWarnings(used: readonly Family[]): string[] {
    const { engine } = this.#options;
    if (!engine.options.nodePortAddresses.includes('primary')) return [];
    const { addresses, nodePortIps } = engine.node;
    if (FAMILIES.every((family) => isLoopback(addresses[family]))) {
      return ['the address of this node is unknown, so every address accepts node ports: set --bind-address'];
    }
    return used.flatMap((family) => {
      const address = addresses[family];
      const isElsewhere = nodePortIps[family] !== 'any' && !this.#isOfHost(address);
      const reason = `no interface has ${address}, so only packets that are routed to this node reach node ports over`;
      return isElsewhere ? [`${reason} ${FAMILY_TRAITS[family].label}`] : [];
    });
  }
}

/** CIDRs of one family do not restrict the other, as in kube-proxy. */
function unrestrictedFamilyWarnings({ node, options }: NodeLoggerOptions['engine'], used: readonly Family[]): string[] {
  const blocks = nodePortBlocks(options.nodePortAddresses);
  if (blocks.length === 0 || options.nodePortAddresses.includes('all')) return [];
  const isOpen = (family: Family) =>
    node.nodePortIps[family] === 'any' && !blocks.some((block) => block.family === family);
  return used.filter(isOpen).map((family) => {
    const label = FAMILY_TRAITS[family].label;
    return `every ${label} address accepts node ports: nodePortAddresses has no ${label} CIDR`;
  });
}

function podWarnings({ node, options }: NodeLoggerOptions['engine'], used: readonly Family[]): string[] {
  const { detectLocal } = node;
  if (detectLocal.by !== 'source' || options.masqueradeAll) return [];
  const isOfNode = options.detectLocal.mode === 'NodeCIDR';
  const field = isOfNode ? 'podCIDRs of the Node' : 'clusterCIDR';
  if (Object.keys(detectLocal.prefixes).length === 0) {
    const reason = isOfNode ? `there are no ${field}` : `${field} is empty`;
    return [`pods are not distinguished from other clients, so traffic to cluster IPs is not masqueraded: ${reason}`];
  }
  const without = used.filter((family) => detectLocal.prefixes[family] === undefined);
  return without.map((family) => {
    const label = FAMILY_TRAITS[family].label;
    return `${label} traffic to cluster IPs is not masqueraded: ${field} has no ${label} CIDR`;
  });
}
