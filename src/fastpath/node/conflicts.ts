// Detects conflicts: network plugins that the fast path would bypass, and foreign programs and qdiscs on devices.

/** Network plugins with the names of their devices, and of their nftables (or iptables-nft) tables and chains. */
const NETWORK_PLUGINS: readonly { readonly plugin: string; readonly device?: RegExp; readonly rules?: RegExp }[] = [
  { plugin: 'Cilium', device: /^cilium_/, rules: /^CILIUM_/ },
  { plugin: 'Calico', device: /^(?:cali|vxlan\.calico|tunl0@cali)/, rules: /^(?:cali-|calico$)/ },
  { plugin: 'kube-router', device: /^kube-bridge$/, rules: /^KUBE-(?:POD-FW|NWPLCY)/ },
  { plugin: 'Antrea', device: /^antrea-/, rules: /^ANTREA-/ },
  { plugin: 'OVN-Kubernetes', device: /^ovn-k8s-/, rules: /^ovn-kube/ },
  { plugin: 'Weave', device: /^weave$/, rules: /^WEAVE-NPC/ },
  { plugin: 'kindnet with NetworkPolicy', rules: /^kindnet-network-polic/ },
  { plugin: 'kube-network-policies', rules: /^kube-network-polic/ },
];

/** Why the fast path must stay off on this node; `undefined` if there is no conflict. */
export function nodeConflict(devices: Iterable<string>, rules: Iterable<string>): string | undefined {
  const [deviceNames, ruleNames] = [[...devices], [...rules]];
  for (const { plugin, device, rules } of NETWORK_PLUGINS) {
    const match =
      (device && deviceNames.find((name) => device.test(name))) ??
      (rules && ruleNames.find((name) => rules.test(name)));
    if (match !== undefined) return `${plugin} is in use ("${match}"): the fast path would bypass its policies`;
  }
  return undefined;
}

export interface DeviceConflict {
  readonly reason: string;
  /** It handles egress, towards the pod: a packet that is sent out through the device does not bypass it. */
  readonly isEgress: boolean;
}

/** Qdiscs that only reorder packets. */
const ALLOWED_QDISCS: Readonly<Record<'uplink' | 'pod', readonly string[]>> = {
  uplink: ['noqueue', 'clsact', 'mq', 'fq', 'fq_codel', 'pfifo_fast', 'pfifo', 'cake'],
  pod: ['noqueue', 'clsact'],
};

/** Conflicts of a device, from the loader's `inspect` lines. Ingress conflicts, which rule out the device, come first. */
export function deviceConflicts(role: 'uplink' | 'pod', lines: readonly string[]): DeviceConflict[] {
  const conflicts = lines.flatMap((line): DeviceConflict[] => {
    const [kind, ...fields] = line.split(' ');
    const [first = '', second = ''] = fields;
    if (kind === 'qdisc') {
      if (ALLOWED_QDISCS[role].includes(first)) return [];
      return [{ reason: `it has qdisc ${first}`, isEgress: first !== 'ingress' }];
    }
    if (fields.includes('own=yes')) return [];
    const isEgress = first === 'egress';
    if (kind === 'filter') return [{ reason: `a foreign tc filter (${second}) is on its ${first}`, isEgress }];
    if (kind === 'tcx') return [{ reason: `a foreign tcx program is on its ${first}`, isEgress }];
    return [];
  });
  return conflicts.toSorted((a, b) => Number(a.isEgress) - Number(b.isEgress));
}
