// The sections of KubeProxyConfiguration that belong to one mode of kube-proxy each.
import * as z from 'zod/mini';
import { BOOLEAN, DURATION, field, STRING, STRING_LIST } from './field.ts';

const NO_IPVS = 'None: there are no ipvs virtual servers here.';
export const WINDOWS = 'None: it is about Windows.';
const SYNC_IMMEDIATE = 'None on syncs: a change is applied at once, and costs what it changes.';

const markBit = z.int().check(z.minimum(0), z.maximum(31));

const syncPeriodFields = (mode: string, minimum: string, effect?: string) => ({
  syncPeriod: field(DURATION, {
    description: `How long to wait after a failed sync, at most. Read in mode ${mode}.`,
    default: '30s',
    effect: effect ?? 'Health is judged by it. A failed sync is tried again sooner.',
  }),
  minSyncPeriod: field(DURATION, {
    description: `The least time between two syncs. Read in mode ${mode}.`,
    default: minimum,
    effect: effect ?? SYNC_IMMEDIATE,
  }),
});

export const IPTABLES_SECTION = z.strictObject({
  masqueradeBit: field(markBit, {
    description: 'Bit of the packet mark that says "masquerade". Read in every mode but nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(BOOLEAN, {
    description: 'Masquerade every connection to a cluster IP. Read in every mode but nftables.',
    default: false,
  }),
  localhostNodePorts: field(BOOLEAN, {
    description: 'Take node ports at 127.0.0.1.',
    default: true,
    keepsZero: true,
    effect:
      'None, for it is on by default and opens loopback addresses to the network: say `localhost` in `nodePortAddresses`.',
  }),
  ...syncPeriodFields('iptables', '1s'),
});

export const IPVS_SECTION = z.strictObject({
  ...syncPeriodFields('ipvs', '0s'),
  scheduler: field(STRING, {
    description: 'How ipvs balances.',
    default: '',
    effect: 'None: connections are balanced at random, or as the annotation nftlane.io/balance of a Service says.',
  }),
  excludeCIDRs: field(STRING_LIST, {
    description: 'Virtual servers that are left alone.',
    default: [],
    effect: NO_IPVS,
  }),
  strictARP: field(BOOLEAN, {
    description: 'Do not answer ARP for Service addresses.',
    default: false,
    effect: 'None: Service addresses are on no interface, so nobody answers for them.',
  }),
  tcpTimeout: field(DURATION, { description: 'Idle TCP connections in ipvs.', default: '0s', effect: NO_IPVS }),
  tcpFinTimeout: field(DURATION, {
    description: 'TCP connections in ipvs after a FIN.',
    default: '0s',
    effect: NO_IPVS,
  }),
  udpTimeout: field(DURATION, { description: 'UDP flows in ipvs.', default: '0s', effect: NO_IPVS }),
});

export const NFTABLES_SECTION = z.strictObject({
  masqueradeBit: field(markBit, {
    description: 'Bit of the packet mark that says "masquerade". Read in mode nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(BOOLEAN, {
    description: 'Masquerade every connection to a cluster IP. Read in mode nftables.',
    default: false,
  }),
  ...syncPeriodFields('nftables', '1s'),
});

export const WINKERNEL_SECTION = z.strictObject({
  networkName: field(STRING, { description: 'Of the HNS network.', default: '', effect: WINDOWS }),
  sourceVip: field(STRING, { description: 'Source address of load balancing.', default: '', effect: WINDOWS }),
  enableDSR: field(BOOLEAN, { description: 'Direct server return.', default: false, effect: WINDOWS }),
  rootHnsEndpointName: field(STRING, { description: 'Of the node.', default: '', effect: WINDOWS }),
  forwardHealthCheckVip: field(BOOLEAN, { description: 'Health checks at the VIP.', default: false, effect: WINDOWS }),
});
