// The node: its view, from options and facts, and the elements that belong to it instead of a Service.

import type { Address } from '../net/address.ts';
import { FAMILIES } from '../net/family.ts';
import type { Prefix } from '../net/prefix.ts';
import { buildNodeView, type NodeOptions, type NodeView } from '../nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../nftables/compile/sets-and-maps.ts';
import type { Element } from '../nftables/syntax/element.ts';
import { usableServiceCidrs } from '../services/model/service-cidr-blocks.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import type { Store } from './store.ts';

/** The owner of the elements of the node. No Service has this name. */
export const NODE_OWNER = '';

/** The view changes only when it is updated. */
export class NodeState {
  readonly #store: Store;
  #options: NodeOptions;
  #hostAddresses: readonly Address[] = [];
  #hostNetworks: readonly Prefix[] = [];
  #cidrIssues: readonly ValidationIssue[] = [];
  #portIssues: readonly ValidationIssue[] = [];
  #view: NodeView;
  #issues?: { readonly parts: readonly (readonly ValidationIssue[])[]; readonly all: readonly ValidationIssue[] };

  constructor(options: NodeOptions, store: Store) {
    this.#options = options;
    this.#store = store;
    store.unmatchedSlices.setSeesAllServices(options.seesAllServices ?? false);
    this.#view = this.#buildView();
  }

  get options(): NodeOptions {
    return this.#options;
  }

  get hostAddresses(): readonly Address[] {
    return this.#hostAddresses;
  }

  get hostNetworks(): readonly Prefix[] {
    return this.#hostNetworks;
  }

  get view(): NodeView {
    return this.#view;
  }

  /** The issues of all objects, those that only this node can find, and those of claims. The same list if none changed. */
  issues(claimIssues: readonly ValidationIssue[]): readonly ValidationIssue[] {
    const clusterIpIssues = this.#store.clusterIpUses.issues();
    const sliceIssues = this.#store.unmatchedSlices.issues();
    const found = [clusterIpIssues, sliceIssues, claimIssues, this.#portIssues];
    const parts = [this.#store.issues(), this.#cidrIssues, ...found];
    const isSame = this.#issues?.parts.every((part, index) => part === parts[index]) === true;
    if (!isSame) this.#issues = { parts, all: parts.flat() };
    return this.#issues?.all ?? [];
  }

  /** Keeps the same list if nothing changed. */
  setPortIssues(issues: readonly ValidationIssue[]): void {
    if (JSON.stringify(issues) !== JSON.stringify(this.#portIssues)) this.#portIssues = issues;
  }

  setHostAddresses(addresses: readonly Address[], networks: readonly Prefix[]): void {
    this.#hostAddresses = addresses;
    this.#hostNetworks = networks;
    this.#store.touchNode();
  }

  setOptions(options: NodeOptions): void {
    this.#options = options;
    this.#store.unmatchedSlices.setSeesAllServices(options.seesAllServices ?? false);
    this.#store.touchNode();
  }

  /** Rebuilds the view. Returns whether all Services must be recompiled. */
  update(): boolean {
    const [before, view] = [this.#view, this.#buildView()];
    this.#view = view;
    const hasNewAddress = FAMILIES.some((family) => view.addresses[family] !== before.addresses[family]);
    return hasNewAddress || view.zone !== before.zone;
  }

  #buildView(): NodeView {
    const { bindAddress, detectLocal, nodeName } = this.#options;
    const { blocks, issues } = usableServiceCidrs(this.#store, {
      clusterCidrs: detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [],
      bindAddress,
      hostNetworks: this.#hostNetworks,
    });
    this.#cidrIssues = issues;
    const view = buildNodeView(this.#options, {
      node: this.#store.nodes.get(nodeName),
      hostAddresses: this.#hostAddresses,
      serviceCidrs: blocks,
    });
    this.#store.clusterIpUses.setNode({ name: nodeName, addresses: view.ownAddresses });
    return view;
  }
}

/** The addresses that accept node ports, unless all addresses do. */
export function nodeElements(node: NodeView): Element[] {
  return node.families.flatMap((family) => {
    const addresses = node.nodePortIps[family];
    if (addresses === 'any') return [];
    const object = SETS_AND_MAPS[family]['nodeport-ips'];
    return addresses.map((key) => ({ object, key, data: '', comment: 'address of this node', owner: NODE_OWNER }));
  });
}
