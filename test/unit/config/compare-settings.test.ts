// Tests of src/config/compare-settings.ts.

import t from 'tap';
import { compareSettings } from '../../../src/config/compare-settings.ts';
import { configurationText, settingsOf } from '../../support/builders/configuration.ts';

t.test('compareSettings() distinguishes changes that apply at run time from those that need a restart', async (t) => {
  const K = 'KubeProxyConfiguration';
  const N = 'NftlaneConfiguration';
  const cases: [file: string, fields: string[], action: string][] = [
    [configurationText(''), [], 'none'],
    [configurationText('portRange: 1-2'), [`${K}.portRange`], 'none'],
    [configurationText('clusterCIDR: 10.0.0.0/8'), [`${K}.clusterCIDR`], 'apply'],
    [configurationText('bindAddress: 192.0.2.1'), [`${K}.bindAddress`], 'apply'],
    [configurationText('logging: {verbosity: 4}'), [`${K}.logging.verbosity`], 'apply'],
    [configurationText('logging: {verbosity: 1}'), [`${K}.logging.verbosity`], 'none'],
    [configurationText('', 'strictSourceRanges: true'), [`${N}.strictSourceRanges`], 'apply'],
    [configurationText('nodePortAddresses: [all]'), [`${K}.nodePortAddresses`], 'apply'],
    [configurationText('iptables: {masqueradeAll: true}'), [`${K}.iptables.masqueradeAll`], 'apply'],
    [configurationText('nftables: {masqueradeAll: true}'), [`${K}.nftables.masqueradeAll`], 'none'],
    [configurationText('hostnameOverride: other'), [`${K}.hostnameOverride`], 'restart'],
    [configurationText('conntrack: {min: 5}'), [`${K}.conntrack.min`], 'restart'],
    [configurationText('clusterCIDR: 10.0.0.0/8\noomScoreAdj: 1'), [`${K}.clusterCIDR`, `${K}.oomScoreAdj`], 'restart'],
    [
      configurationText('', 'manifests: /m\nserviceClusterIPRange: [10.96.0.0/16]'),
      [`${N}.manifests`, `${N}.serviceClusterIPRange`],
      'restart',
    ],
    [configurationText('', 'massLoss: {gracePeriod: 0s}'), [`${N}.massLoss.gracePeriod`], 'apply'],
    [configurationText('', 'massLoss: {percent: 80}'), [`${N}.massLoss.percent`], 'apply'],
    [configurationText('', 'serveMetrics: false'), [`${N}.serveMetrics`], 'restart'],
    [configurationText('', 'log: {format: json}'), [`${N}.log.format`], 'restart'],
    [configurationText('', 'manifests: /m'), [`${N}.manifests`], 'restart'],
  ];
  for (const [file, fields, action] of cases) {
    const change = compareSettings(settingsOf(configurationText('')), settingsOf(file));
    t.strictSame({ ...change, fields: [...change.fields].sort() }, { fields, action }, file);
  }
});
