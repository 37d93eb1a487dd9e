// Tests of src/config/compare-settings.ts.
import t from 'tap';
import { compareSettings } from '../../../src/config/compare-settings.ts';
import { fileOf, settingsOf } from '../../support/builders/configuration.ts';

t.test('compareSettings() tells what can be applied at work from what takes a new start', async (t) => {
  const K = 'KubeProxyConfiguration';
  const N = 'NftlaneConfiguration';
  const cases: [file: string, fields: string[], needs: string][] = [
    [fileOf(''), [], 'none'],
    [fileOf('portRange: 1-2'), [`${K}.portRange`], 'none'],
    [fileOf('clusterCIDR: 10.0.0.0/8'), [`${K}.clusterCIDR`], 'apply'],
    [fileOf('bindAddress: 192.0.2.1'), [`${K}.bindAddress`], 'apply'],
    [fileOf('logging: {verbosity: 4}'), [`${K}.logging.verbosity`], 'apply'],
    [fileOf('logging: {verbosity: 1}'), [`${K}.logging.verbosity`], 'none'],
    [fileOf('', 'strictSourceRanges: true'), [`${N}.strictSourceRanges`], 'apply'],
    [fileOf('nodePortAddresses: [all]'), [`${K}.nodePortAddresses`], 'apply'],
    [fileOf('iptables: {masqueradeAll: true}'), [`${K}.iptables.masqueradeAll`], 'apply'],
    [fileOf('nftables: {masqueradeAll: true}'), [`${K}.nftables.masqueradeAll`], 'none'],
    [fileOf('hostnameOverride: other'), [`${K}.hostnameOverride`], 'restart'],
    [fileOf('conntrack: {min: 5}'), [`${K}.conntrack.min`], 'restart'],
    [fileOf('clusterCIDR: 10.0.0.0/8\noomScoreAdj: 1'), [`${K}.clusterCIDR`, `${K}.oomScoreAdj`], 'restart'],
    [fileOf('', 'serveMetrics: false'), [`${N}.serveMetrics`], 'restart'],
    [fileOf('', 'log: {format: json}'), [`${N}.log.format`], 'restart'],
    [fileOf('', 'manifests: /m'), [`${N}.manifests`], 'restart'],
  ];
  for (const [file, fields, needs] of cases) {
    const change = compareSettings(settingsOf(fileOf('')), settingsOf(file));
    t.strictSame({ ...change, fields: [...change.fields].sort() }, { fields, needs }, file);
  }
});
