// The default options of the proxy.

import type { ProxyOptions } from '../../../src/nftables/compile/node-view.ts';

export const DEFAULT_OPTIONS: Omit<ProxyOptions, 'nodeName'> = {
  masqueradeAll: false,
  masqueradeBit: 14,
  detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
  nodePortAddresses: ['primary'],
  strictSourceRanges: false,
};
