// Why the fast path keeps away: from a node whose network plugin does on the way what would be skipped, and from devices
// with programs or queues of others.

/** Network plugins with their signs: names of devices, and of nftables tables and chains (those of iptables included). */
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

/** Why the fast path must stay off on this node; `undefined` where nothing speaks against it. */
export function nodeConflict(devices: Iterable<string>, rules: Iterable<string>): string | undefined {
  const [deviceNames, ruleNames] = [[...devices], [...rules]];
  for (const { plugin, device, rules } of NETWORK_PLUGINS) {
    const match =
      (device && deviceNames.find((name) => device.test(name))) ??
      (rules && ruleNames.find((name) => rules.test(name)));
    if (match !== undefined) return `${plugin} is at work here ("${match}"): its policies would be passed by`;
  }
  return undefined;
}

/** What speaks against a device. */
export interface DeviceConflict {
  readonly reason: string;
  /** It is on the way out of the device, towards a pod: a packet that is sent there by way of the device does not miss it. */
  readonly isEgress: boolean;
}

/** Queues that change nothing but the order of packets. */
const ALLOWED_QDISCS: Readonly<Record<'uplink' | 'pod', readonly string[]>> = {
  uplink: ['noqueue', 'clsact', 'mq', 'fq', 'fq_codel', 'pfifo_fast', 'pfifo', 'cake'],
  pod: ['noqueue', 'clsact'],
};

/** Why a device is not used as others are, from what the loader says of it; what weighs most goes first. */
export function deviceConflicts(role: 'uplink' | 'pod', lines: readonly string[]): DeviceConflict[] {
  const conflicts = lines.flatMap((line): DeviceConflict[] => {
    const [kind, ...words] = line.split(' ');
    const [first = '', second = ''] = words;
    if (kind === 'qdisc') {
      if (ALLOWED_QDISCS[role].includes(first)) return [];
      return [{ reason: `it has the queue ${first}`, isEgress: first !== 'ingress' }];
    }
    if (words.includes('own=yes')) return [];
    const isEgress = first === 'egress';
    if (kind === 'filter') return [{ reason: `somebody else's tc filter (${second}) is on its ${first}`, isEgress }];
    if (kind === 'tcx') return [{ reason: `somebody else's tcx program is on its ${first}`, isEgress }];
    return [];
  });
  return conflicts.toSorted((a, b) => Number(a.isEgress) - Number(b.isEgress));
}
