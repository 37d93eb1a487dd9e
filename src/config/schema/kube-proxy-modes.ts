// The sections of KubeProxyConfiguration for the modes of kube-proxy.

import * as z from 'zod/mini';
import { BOOLEAN, DURATION, field, STRING, STRING_LIST } from './field.ts';

const NO_IPVS = 'None: nftlane does not use ipvs.';
export const WINDOWS = 'None: Windows only.';
const SYNC_IMMEDIATE = 'None: a change is applied immediately, at a cost that depends only on its size.';

const markBit = z.int().check(z.minimum(0), z.maximum(31));

const syncPeriodFields = (mode: string, minimum: string, effect?: string) => ({
  syncPeriod: field(DURATION, {
    description: `Maximum delay of the retry after a failed sync. Used in mode ${mode}.`,
    default: '30s',
    effect: effect ?? 'Health checks fail if a change is pending for twice this time. Failed syncs are retried sooner.',
  }),
  minSyncPeriod: field(DURATION, {
    description: `Minimum time between two syncs. Used in mode ${mode}.`,
    default: minimum,
    effect: effect ?? SYNC_IMMEDIATE,
  }),
});

export const IPTABLES_SECTION = z.strictObject({
  masqueradeBit: field(markBit, {
    description: 'Bit of the packet mark that requests masquerading. Used in all modes except nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(BOOLEAN, {
    description: 'Masquerade all connections to cluster IPs. Used in all modes except nftables.',
    default: false,
  }),
  localhostNodePorts: field(BOOLEAN, {
    description: 'Accept node ports at 127.0.0.1.',
    default: true,
    keepsZero: true,
    effect:
      'None, because it is on by default and exposes loopback addresses to the network. Use `localhost` in `nodePortAddresses` instead.',
  }),
  ...syncPeriodFields('iptables', '1s'),
});

export const IPVS_SECTION = z.strictObject({
  ...syncPeriodFields('ipvs', '0s'),
  scheduler: field(STRING, {
    description: 'Load balancing algorithm of ipvs.',
    default: '',
    effect: 'None: endpoints are chosen at random, or by the Service annotation nftlane.io/balance.',
  }),
  excludeCIDRs: field(STRING_LIST, {
    description: 'CIDR blocks whose virtual servers are not removed.',
    default: [],
    effect: NO_IPVS,
  }),
  strictARP: field(BOOLEAN, {
    description: 'Do not answer ARP requests for Service addresses.',
    default: false,
    effect: 'None: Service addresses are not assigned to any interface.',
  }),
  tcpTimeout: field(DURATION, { description: 'ipvs timeout of idle TCP connections.', default: '0s', effect: NO_IPVS }),
  tcpFinTimeout: field(DURATION, {
    description: 'ipvs timeout of TCP connections after a FIN.',
    default: '0s',
    effect: NO_IPVS,
  }),
  udpTimeout: field(DURATION, { description: 'ipvs timeout of UDP flows.', default: '0s', effect: NO_IPVS }),
});

export const NFTABLES_SECTION = z.strictObject({
  masqueradeBit: field(markBit, {
    description: 'Bit of the packet mark that requests masquerading. Used in mode nftables.',
    default: 14,
    keepsZero: true,
  }),
  masqueradeAll: field(BOOLEAN, {
    description: 'Masquerade all connections to cluster IPs. Used in mode nftables.',
    default: false,
  }),
  ...syncPeriodFields('nftables', '1s'),
});

export const WINKERNEL_SECTION = z.strictObject({
  networkName: field(STRING, { description: 'Name of the HNS network.', default: '', effect: WINDOWS }),
  sourceVip: field(STRING, { description: 'Source address of load-balanced traffic.', default: '', effect: WINDOWS }),
  enableDSR: field(BOOLEAN, { description: 'Enable direct server return.', default: false, effect: WINDOWS }),
  rootHnsEndpointName: field(STRING, { description: 'Name of the root HNS endpoint.', default: '', effect: WINDOWS }),
  forwardHealthCheckVip: field(BOOLEAN, {
    description: 'Forward health checks of the VIP.',
    default: false,
    effect: WINDOWS,
  }),
});
