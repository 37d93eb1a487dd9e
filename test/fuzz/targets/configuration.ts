// Configuration files and flags.

import { readConfiguration } from '../../../src/config/configuration.ts';
import { resolveSettings } from '../../../src/config/resolve-settings.ts';
import { ConfigurationError } from '../../../src/config/schema/configuration-error.ts';
import { expectErrors, type FuzzTarget } from '../target.ts';

const FILE = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: 10.1.0.0/16,fd00:1::/48
hostnameOverride: n1
nodePortAddresses: [primary, 192.0.2.0/24]
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: "[::1]:10249"
featureGates: {AllAlpha: true}
conntrack: {maxPerCore: 32768, min: 131072, tcpEstablishedTimeout: 24h0m0s, tcpBeLiberal: false}
nftables: {masqueradeBit: 14, masqueradeAll: false, minSyncPeriod: 1s, syncPeriod: 30s}
---
apiVersion: config.nftlane.io/v1alpha1
kind: NftlaneConfiguration
`;

export const configurationTarget: FuzzTarget = {
  name: 'configuration',
  weight: 3,
  seeds: [FILE],
  run(input) {
    expectErrors([ConfigurationError], () => {
      const configuration = readConfiguration({ file: { path: 'config.yaml', text: input }, flags: [] });
      resolveSettings(configuration, { hostname: 'n1' });
    });
  },
};
