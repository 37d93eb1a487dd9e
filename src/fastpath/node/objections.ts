// Why the fast path keeps away: from a node whose network plugin does on the way what would be skipped, and from devices
// with programs or queues of others.

/** Network plugins with their signs: names of devices, and of nftables tables and chains (those of iptables included). */
const SIGNS: readonly { readonly who: string; readonly device?: RegExp; readonly rules?: RegExp }[] = [
  { who: 'Cilium', device: /^cilium_/, rules: /^CILIUM_/ },
  { who: 'Calico', device: /^(?:cali|vxlan\.calico|tunl0@cali)/, rules: /^(?:cali-|calico$)/ },
  { who: 'kube-router', device: /^kube-bridge$/, rules: /^KUBE-(?:POD-FW|NWPLCY)/ },
  { who: 'Antrea', device: /^antrea-/, rules: /^ANTREA-/ },
  { who: 'OVN-Kubernetes', device: /^ovn-k8s-/, rules: /^ovn-kube/ },
  { who: 'Weave', device: /^weave$/, rules: /^WEAVE-NPC/ },
  { who: 'kindnet with NetworkPolicy', rules: /^kindnet-network-polic/ },
  { who: 'kube-network-policies', rules: /^kube-network-polic/ },
];

/** Why the fast path must stay off on this node; `undefined` where nothing speaks against it. */
export function nodeObjection(devices: Iterable<string>, rules: Iterable<string>): string | undefined {
  const [deviceNames, ruleNames] = [[...devices], [...rules]];
  for (const { who, device, rules } of SIGNS) {
    const sign =
      (device && deviceNames.find((name) => device.test(name))) ??
      (rules && ruleNames.find((name) => rules.test(name)));
    if (sign !== undefined) return `${who} is at work here ("${sign}"): its policies would be passed by`;
  }
  return undefined;
}

/** What speaks against a device. */
export interface DeviceObjection {
  readonly reason: string;
  /** It is on the way out of the device, towards a pod: a packet that is sent there by way of the device does not miss it. */
  readonly isEgress: boolean;
}

/** Queues that change nothing but the order of packets. */
const PLAIN_QUEUES: Readonly<Record<'uplink' | 'pod', readonly string[]>> = {
  uplink: ['noqueue', 'clsact', 'mq', 'fq', 'fq_codel', 'pfifo_fast', 'pfifo', 'cake'],
  pod: ['noqueue', 'clsact'],
};

/** Why a device is not used as others are, from what the loader says of it; what weighs most goes first. */
export function deviceObjections(role: 'uplink' | 'pod', look: readonly string[]): DeviceObjection[] {
  const found = look.flatMap((line): DeviceObjection[] => {
    const [what, ...words] = line.split(' ');
    const [first = '', second = ''] = words;
    if (what === 'qdisc') {
      if (PLAIN_QUEUES[role].includes(first)) return [];
      return [{ reason: `it has the queue ${first}`, isEgress: first !== 'ingress' }];
    }
    if (words.includes('own=yes')) return [];
    const isEgress = first === 'egress';
    if (what === 'filter') return [{ reason: `somebody else's tc filter (${second}) is on its ${first}`, isEgress }];
    if (what === 'tcx') return [{ reason: `somebody else's tcx program is on its ${first}`, isEgress }];
    return [];
  });
  return found.toSorted((a, b) => Number(a.isEgress) - Number(b.isEgress));
}
