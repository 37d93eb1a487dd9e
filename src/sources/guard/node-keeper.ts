// Keeps what was last known of this node's Node object when it disappears or becomes incomplete.

import { FAMILIES, FAMILY_TRAITS, type Family } from '../../net/family.ts';
import type { Kind, KindMap } from '../../services/objects/kinds.ts';
import type { Node } from '../../services/objects/node.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Sink } from '../../services/objects/sink.ts';

interface NodeKeeperOptions {
  readonly sink: Sink;
  readonly nodeName: string;
  /** What is missing of the Node; empty if it is complete again. Called when it changes. */
  readonly onChange: (missing: readonly string[]) => void;
}

/**
 * Without its addresses, node ports would open at every address of the node; without its zone, hints would not apply. A
 * kubelet that registers again with an external cloud provider clears the addresses for a while, and a Node object that is
 * deleted is usually created again. A value that changes is followed; one that disappears is kept until the daemon ends.
 */
export class NodeKeeper implements Sink {
  readonly #options: NodeKeeperOptions;
  #last: Node | undefined;
  #missing: readonly string[] = [];

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    const { nodeName, sink } = this.#options;
    if (kind !== 'Node') {
      sink.replace(kind, objects);
      return;
    }
    const own = this.#keep(objects.find(({ key }) => key === nodeName) as ReadResult<Node> | undefined);
    const others = objects.filter(({ key }) => key !== nodeName) as readonly ReadResult<Node>[];
    sink.replace('Node', own === undefined ? others : [...others, own]);
  }

  preview<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#options.sink.preview?.(kind, object);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    const { nodeName, sink } = this.#options;
    const isOwn = kind === 'Node' && object.key === nodeName;
    const node = isOwn ? this.#keep(object as ReadResult<Node>) : undefined;
    if (node !== undefined) sink.put('Node', node);
    else if (!isOwn) sink.put(kind, object);
  }

  remove(kind: Kind, key: string): void {
    if (kind !== 'Node' || key !== this.#options.nodeName || this.#keep(undefined) === undefined)
      this.#options.sink.remove(kind, key);
  }

  /** The Node with what is missing of it; `undefined` if it was never known. */
  #keep(read: ReadResult<Node> | undefined): ReadResult<Node> | undefined {
    const { nodeName } = this.#options;
    if (this.#last === undefined && read?.value === undefined) return read;
    const { node, missing } = withLastKnown(read?.value, this.#last);
    this.#last = node;
    if (missing.join() !== this.#missing.join()) this.#options.onChange(missing);
    this.#missing = missing;
    return { key: nodeName, ...(node === undefined ? {} : { value: node }), issues: read?.issues ?? [] };
  }
}

/** Fills in what `next` lacks, and names it. */
function withLastKnown(next: Node | undefined, last: Node | undefined): { node: Node | undefined; missing: string[] } {
  if (next === undefined) return { node: last, missing: ['the Node object'] };
  if (last === undefined) return { node: next, missing: [] };
  const lost = (name: 'addresses' | 'podCidrs'): Family[] =>
    FAMILIES.filter((family) => last[name][family] !== undefined && next[name][family] === undefined);
  const labels = (families: readonly Family[], what: string) =>
    families.map((family) => `the ${FAMILY_TRAITS[family].label} ${what}`);
  const lostZone = last.zone !== undefined && next.zone === undefined;
  return {
    node: {
      ...next,
      addresses: { ...last.addresses, ...next.addresses },
      podCidrs: { ...last.podCidrs, ...next.podCidrs },
      zone: next.zone ?? last.zone,
    },
    missing: [
      ...labels(lost('addresses'), 'address'),
      ...labels(lost('podCidrs'), 'podCIDR'),
      ...(lostZone ? ['the zone label'] : []),
    ],
  };
}
