// Tests of src/config: reading, decoding and validating configuration files, and resolving settings.

import t from 'tap';
import { stringify } from 'yaml';
import { describeProblem } from '../../../src/config/schema/configuration-error.ts';
import { configurationOf, configurationText, problemsOf, settingsOf } from '../../support/builders/configuration.ts';
import { KUBEADM_CONFIG } from '../../support/deployment/kubeadm-config.ts';

const K = 'KubeProxyConfiguration';

t.test('the file of kubeadm gives defaults, pod CIDRs and kubeconfig without warnings', async (t) => {
  const settings = settingsOf(KUBEADM_CONFIG);
  t.strictSame(configurationOf(KUBEADM_CONFIG).warnings, []);
  t.match(settings.proxy, {
    nodeName: 'host-1',
    masqueradeAll: false,
    masqueradeBit: 14,
    detectLocal: { mode: 'ClusterCIDR', cidrs: [{ text: '10.244.0.0/16' }, { text: 'fd00:10:244::/56' }] },
    nodePortAddresses: ['primary'],
    strictSourceRanges: false,
  });
  t.strictSame(settings.kubeProxy, {
    featureGates: {},
    clientConnection: { kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf', master: undefined },
    healthzBindAddress: { address: '0.0.0.0', port: 10256 },
    metricsBindAddress: { address: '127.0.0.1', port: 10249 },
    bindAddress: undefined,
    bindAddressHardFail: false,
    enableProfiling: false,
    oomScoreAdj: -999,
    conntrack: {
      maxPerCore: 32768,
      min: 131072,
      tcpEstablishedTimeoutMs: 86_400_000,
      tcpCloseWaitTimeoutMs: 3_600_000,
      tcpBeLiberal: false,
      udpTimeoutMs: 0,
      udpStreamTimeoutMs: 0,
    },
    configSyncPeriodMs: 900_000,
    syncPeriodMs: 30_000,
    minSyncPeriodMs: 1000,
  });
  t.match(settings.nftlane, { takeOver: 'auto', nft: 'nft', log: { level: 'info', format: 'auto' } });
});

t.test('zeros count as absent, except in fields that keep them', async (t) => {
  const { kubeProxy, proxy } = settingsOf(
    configurationText(
      'iptables: {masqueradeBit: 0, minSyncPeriod: 0s}\nconntrack: {min: 0, tcpCloseWaitTimeout: 0s}\noomScoreAdj: 0',
    ),
  );
  t.equal(proxy.masqueradeBit, 0);
  t.equal(kubeProxy.minSyncPeriodMs, 1000);
  t.match(kubeProxy.conntrack, {
    min: 0,
    maxPerCore: 32768,
    tcpCloseWaitTimeoutMs: 0,
    tcpEstablishedTimeoutMs: 86_400_000,
  });
  t.equal(kubeProxy.oomScoreAdj, 0);
  const flag = {
    flag: '--iptables-min-sync-period',
    kind: K,
    path: ['iptables', 'minSyncPeriod'],
    value: '0s',
  } as const;
  t.equal(settingsOf(undefined, [flag]).kubeProxy.minSyncPeriodMs, 0, 'a zero from a flag is kept');
});

t.test('only the section of the mode is used and validated', async (t) => {
  const sections = [
    'iptables: {masqueradeAll: true, masqueradeBit: 1, syncPeriod: 40s}',
    'ipvs: {syncPeriod: 50s}',
    'nftables: {masqueradeBit: 2, syncPeriod: 60s}',
  ].join('\n');
  const cases: [mode: string, all: boolean, bit: number, period: number][] = [
    ['""', true, 1, 40_000],
    ['iptables', true, 1, 40_000],
    ['ipvs', true, 1, 50_000],
    ['nftables', false, 2, 60_000],
  ];
  for (const [mode, masqueradeAll, masqueradeBit, syncPeriodMs] of cases) {
    const { proxy, kubeProxy } = settingsOf(configurationText(`mode: ${mode}\n${sections}`));
    t.match({ ...proxy, ...kubeProxy }, { masqueradeAll, masqueradeBit, syncPeriodMs }, mode);
  }
  const inactive = 'mode: nftables\nipvs: {tcpTimeout: -1s, excludeCIDRs: [x]}\niptables: {syncPeriod: -1s}';
  t.strictSame(problemsOf(configurationText(inactive)), []);
  t.strictSame(problemsOf(configurationText('detectLocalMode: NodeCIDR\nclusterCIDR: nonsense')), []);
});

t.test('unknown fields and duplicate keys are warnings', async (t) => {
  const text = configurationText(
    'clusterCIDR: 10.0.0.0/8\nclusterCIDR: 10.1.0.0/16\nnoSuch: 1\nconntrack: {least: 2, min: 5}',
  );
  const { kubeProxy, warnings } = configurationOf(text);
  t.equal(kubeProxy.clusterCIDR, '10.1.0.0/16', 'the last one applies');
  t.equal(kubeProxy.conntrack.min, 5);
  const messages = warnings.map(describeProblem);
  t.match(messages[0], /unique at line 4/);
  t.strictSame(messages.slice(1).sort(), [`${K}.conntrack.least: unknown field`, `${K}.noSuch: unknown field`]);
});

t.test('all other problems are errors and are reported with their paths', async (t) => {
  const cases: [fields: string, ...problems: string[]][] = [
    ['bindAddress: "[::]"', `${K}.bindAddress: "[::]" is not an IP address`],
    ['conntrack: 5', `${K}.conntrack: 5 is not an object`],
    [
      'conntrack: {min: "5", maxPerCore: -1}',
      `${K}.conntrack.maxPerCore: -1 is less than 0`,
      `${K}.conntrack.min: "5" is not a number`,
    ],
    ['conntrack: {udpTimeout: -1s}', `${K}.conntrack.udpTimeout: -1s is less than 0`],
    ['configSyncPeriod: 5', `${K}.configSyncPeriod: "5" is not a duration such as 30s or 1h0m0s`],
    ['oomScoreAdj: 1001', `${K}.oomScoreAdj: 1001 is greater than 1000`],
    ['mode: userspace', `${K}.mode: "userspace" is not one of "", "iptables", "ipvs", "nftables"`],
    ['iptables: {masqueradeBit: 32}\nmode: nftables', `${K}.iptables.masqueradeBit: 32 is greater than 31`],
    [
      'healthzBindAddress: localhost:1',
      `${K}.healthzBindAddress: "localhost:1" is neither an IP address nor IP:port with a port from 1 to 65535`,
    ],
    [
      'metricsBindAddress: 0.0.0.0:0',
      `${K}.metricsBindAddress: "0.0.0.0:0" is neither an IP address nor IP:port with a port from 1 to 65535`,
    ],
    ['clusterCIDR: "10.0.0.0/8, fd00::/8"', `${K}.clusterCIDR: " fd00::/8" is not a CIDR block`],
    ['clusterCIDR: 10.0.0.0/8,11.0.0.0/8', `${K}.clusterCIDR: has two CIDR blocks of the same family`],
    ['clusterCIDR: 10.0.0.0/8,fd00::/8,11.0.0.0/8', `${K}.clusterCIDR: has more than two CIDR blocks`],
    [
      'nodePortAddresses: [primary, 10.0.0.1]',
      `${K}.nodePortAddresses[1]: "10.0.0.1" is neither a CIDR block nor one of "primary", "all", "localhost"`,
    ],
    [
      'detectLocalMode: BridgeInterface',
      `${K}.detectLocal.bridgeInterface: is required with detectLocalMode BridgeInterface`,
    ],
    [
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: a"b}',
      `${K}.detectLocal.interfaceNamePrefix: "a\\"b" is not an interface name`,
    ],
    [
      'iptables: {syncPeriod: 2s, minSyncPeriod: 3s}',
      `${K}.iptables.syncPeriod: 2s is less than iptables.minSyncPeriod (3s)`,
    ],
    ['iptables: {syncPeriod: 3h, minSyncPeriod: 2h}', `${K}.iptables.minSyncPeriod: 2h is greater than 1h0m0s`],
    [
      'featureGates: {NFTablesProxyMode: false}',
      `${K}.featureGates.NFTablesProxyMode: is locked to true and cannot be set to false`,
    ],
    ['logging: {format: xml}', `${K}.logging.format: "xml" is neither "text" nor "json"`],
    [
      'logging: {format: json, vmodule: [{filePattern: a, verbosity: 1}]}',
      `${K}.logging.vmodule: requires logging.format "text"`,
    ],
    [
      'logging: {options: {json: {splitStream: true}}}',
      `${K}.logging.options.json.splitStream: requires the feature gate LoggingAlphaOptions`,
    ],
    [
      'mode: ipvs\nipvs: {tcpTimeout: -1s, excludeCIDRs: [x]}',
      `${K}.ipvs.tcpTimeout: -1s is less than 0`,
      `${K}.ipvs.excludeCIDRs[0]: "x" is not a CIDR block`,
    ],
    ['hostnameOverride: " "', `${K}.hostnameOverride: the node has no name`],
  ];
  for (const [fields, ...problems] of cases) t.strictSame(problemsOf(configurationText(fields)), problems, fields);
  const all = problemsOf(
    configurationText(
      cases
        .slice(4, 8)
        .map(([fields]) => fields.replace('\nmode: nftables', ''))
        .join('\n'),
    ),
  );
  t.equal(all.length, 4, 'together');
});

t.test('a file needs documents of known kinds', async (t) => {
  const cases: [text: string, problem: RegExp][] = [
    ['', /no configuration document/],
    [
      'kind: KubeProxyConfiguration',
      /unknown apiVersion undefined of KubeProxyConfiguration; must be kubeproxy\.config/,
    ],
    [
      'apiVersion: kubeproxy.config.k8s.io/v1beta1\nkind: KubeProxyConfiguration',
      /"kubeproxy\.config\.k8s\.io\/v1beta1"/,
    ],
    ['bindAddress: 1.2.3.4', /missing kind; must be KubeProxyConfiguration/],
    ['apiVersion: v1\nkind: ConfigMap', /unknown kind "ConfigMap"; must be KubeProxyConfiguration/],
    ['[1, 2]', /missing kind/],
    [configurationText('bindAddress: ::'), /Nested mappings are not allowed.* at line 3/],
    [`${configurationText('')}---\n${configurationText('')}`, /KubeProxyConfiguration: duplicate document/],
  ];
  for (const [text, problem] of cases) t.match(problemsOf(text).join('\n'), problem, text);
});

t.test('a file can have both kinds, in any order, as YAML or JSON', async (t) => {
  const { proxy, nftlane, manifests } = settingsOf(
    configurationText(
      'clusterCIDR: 10.0.0.0/8',
      'strictSourceRanges: true\ntakeOver: no\nfastPath: {mode: off}\nmanifests: /m',
    ),
  );
  t.match({ ...proxy, ...nftlane, manifests }, { strictSourceRanges: true, takeOver: 'no', manifests: '/m' });
  const only = JSON.stringify({ apiVersion: 'nftlane.io/v1alpha1', kind: 'NftlaneConfiguration', takeOver: false });
  t.equal(settingsOf(only).nftlane.takeOver, 'no', 'YAML 1.1 parses a bare no as false');
  t.strictSame(problemsOf(configurationText('', 'runDir: ""\nmetrics: {connections: -1}\nlog: {level: loud}')), [
    'NftlaneConfiguration.metrics.connections: -1 is less than 0',
    'NftlaneConfiguration.runDir: "" must not be empty',
    'NftlaneConfiguration.log.level: "loud" is not one of "debug", "info", "warn", "error"',
  ]);
});

t.test('servers can be disabled, and their default address has the family of bindAddress', async (t) => {
  const off = settingsOf(configurationText('', 'serveHealth: false\nserveMetrics: false')).kubeProxy;
  t.strictSame([off.healthzBindAddress, off.metricsBindAddress], [undefined, undefined]);
  const ip6 = settingsOf(configurationText('bindAddress: "fd00::5"')).kubeProxy;
  t.strictSame(
    [ip6.healthzBindAddress, ip6.metricsBindAddress],
    [
      { address: '::', port: 10256 },
      { address: '::1', port: 10249 },
    ],
  );
  t.equal(ip6.bindAddress, 'fd00::5');
  t.strictSame(settingsOf(configurationText('healthzBindAddress: 10.0.0.1')).kubeProxy.healthzBindAddress, {
    address: '10.0.0.1',
    port: 10256,
  });
});

t.test('feature gates without effect are warnings', async (t) => {
  const { warnings } = configurationOf(configurationText('featureGates: {MemoryQoS: true, NativeHistograms: true}'));
  t.strictSame(warnings.map(describeProblem), [
    `${K}.featureGates.MemoryQoS: has no effect`,
    `${K}.featureGates.NativeHistograms: has no effect`,
  ]);
});

t.test('the gate AllowServiceExternalIPs disables external IPs', async (t) => {
  t.notHas(settingsOf(configurationText('')).proxy, { proxiesExternalIps: false });
  const { proxy } = settingsOf(configurationText('featureGates: {AllowServiceExternalIPs: false}'));
  t.equal(proxy.proxiesExternalIps, false);
  t.strictSame(configurationOf(configurationText('featureGates: {AllowServiceExternalIPs: false}')).warnings, []);
});

t.test('flags override the file and appear in errors', async (t) => {
  const cidr = (value: string) => ({ flag: '--cluster-cidr', kind: K, path: ['clusterCIDR'], value }) as const;
  const given = configurationOf(configurationText('clusterCIDR: 10.0.0.0/8'), [cidr('10.1.0.0/16')]);
  t.equal(given.kubeProxy.clusterCIDR, '10.1.0.0/16');
  t.strictSame(given.overridingFlags, ['--cluster-cidr']);
  t.strictSame(
    configurationOf(configurationText('clusterCIDR: 10.0.0.0/8'), [cidr('10.0.0.0/8')]).overridingFlags,
    [],
    'same value',
  );
  t.strictSame(
    configurationOf(configurationText(''), [cidr('10.0.0.0/8')]).overridingFlags,
    [],
    'field not in the file',
  );
  t.strictSame(problemsOf(configurationText('oomScoreAdj: 5000'), [cidr('x')]).sort(), [
    '--cluster-cidr: "x" is not a CIDR block',
    `${K}.oomScoreAdj: 5000 is greater than 1000`,
  ]);
});

t.test('a complete configuration can be read back', async (t) => {
  for (const text of [
    KUBEADM_CONFIG,
    configurationText('mode: nftables\nbindAddress: "fd00::1"', 'log: {level: debug}'),
  ]) {
    const { kubeProxy, nftlane } = configurationOf(text);
    const again = configurationOf([kubeProxy, nftlane].map((document) => stringify(document)).join('---\n'));
    t.strictSame(again, { kubeProxy, nftlane, warnings: [], overridingFlags: [] });
  }
});

t.test('the parser of configurations writes nothing to standard error', async (t) => {
  const warnings = t.capture(process, 'emitWarning');
  t.throws(() => settingsOf('{{ .Values.x }}'), { message: /missing kind/ });
  t.throws(() => settingsOf(configurationText('clusterCIDR: {{ .Values.cidr }}')), {
    message: /clusterCIDR: .* is not a string$/,
  });
  t.match(settingsOf(configurationText('clusterCIDR: !Odd 10.0.0.0/8')).proxy.detectLocal, { mode: 'ClusterCIDR' });
  t.strictSame(warnings(), []);
});
