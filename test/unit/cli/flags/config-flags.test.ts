// Tests of src/cli/flags/config-flags.ts and src/cli/flags/flag-table.ts.

import { Command } from 'commander';
import t from 'tap';
import {
  normalizeArguments,
  readConfigFlags,
  readPortFlags,
  withConfigFlags,
} from '../../../../src/cli/flags/config-flags.ts';
import { PROXY_FLAGS, RUN_FLAGS } from '../../../../src/cli/flags/flag-table.ts';
import { unwrapSchema } from '../../../../src/config/schema/field.ts';
import { KUBE_PROXY_KIND, KUBE_PROXY_SCHEMA } from '../../../../src/config/schema/kube-proxy-schema.ts';
import { NFTLANE_SCHEMA } from '../../../../src/config/schema/nftlane-schema.ts';
import { configurationOf, settingsOf } from '../../../support/builders/configuration.ts';

const TABLE = [...PROXY_FLAGS, ...RUN_FLAGS];

function flagsOf(args: readonly string[], mode?: string) {
  const command = withConfigFlags(new Command().exitOverride(), TABLE);
  command.parse(normalizeArguments(args), { from: 'user' });
  const given = Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === 'cli'),
  );
  return readConfigFlags(given, { flags: TABLE, mode });
}

t.test('readConfigFlags() converts flags to fields', async (t) => {
  const given = ['--cluster_cidr=10.0.0.0/8,fd00::/8', '--masquerade-all=true', '--bind-address-hard-fail', '-v', '4'];
  const more = [
    '--nodeport-addresses',
    'primary',
    '--nodeport-addresses=192.0.2.0/24, localhost',
    '--oom-score-adj=-5',
  ];
  const { proxy, kubeProxy, nftlane } = settingsOf(
    undefined,
    flagsOf([...given, ...more, '--feature-gates=ContextualLogging=true,NativeHistograms=false', '--conntrack-min=0']),
  );
  t.match(proxy, {
    masqueradeAll: true,
    nodePortAddresses: ['primary', { text: '192.0.2.0/24' }, 'localhost'],
    detectLocal: { cidrs: [{ text: '10.0.0.0/8' }, { text: 'fd00::/8' }] },
  });
  t.match(kubeProxy, { bindAddressHardFail: true, oomScoreAdj: -5, conntrack: { min: 0 } });
  t.strictSame(kubeProxy.featureGates, { ContextualLogging: true, NativeHistograms: false });
  t.equal(nftlane.log.level, 'debug');
});

t.test('readConfigFlags() sets the fields of the section that the mode selects', async (t) => {
  const args = ['--masquerade-all', '--masquerade-bit=3', '--iptables-sync-period=50s'];
  for (const [mode, section] of [
    ['nftables', 'nftables'],
    ['', 'iptables'],
    ['ipvs', 'iptables'],
  ] as const) {
    const paths = flagsOf(args, mode).map(({ path }) => path.join('.'));
    t.strictSame(
      paths.sort(),
      ['masqueradeAll', 'masqueradeBit', 'syncPeriod'].map((name) => `${section}.${name}`),
      mode,
    );
  }
  const { proxy } = settingsOf(undefined, flagsOf([...args, '--proxy-mode=nftables']));
  t.match(proxy, { masqueradeAll: true, masqueradeBit: 3 });
});

t.test('an empty address disables a server, and a Boolean flag can be false', async (t) => {
  const off = settingsOf(undefined, flagsOf(['--healthz-bind-address=', '--metrics-bind-address', ''])).kubeProxy;
  t.strictSame([off.healthzBindAddress, off.metricsBindAddress], [undefined, undefined]);
  const text = `apiVersion: nftlane.io/v1alpha1\nkind: NftlaneConfiguration\nserveHealth: false\nstrictSourceRanges: true\n`;
  const on = settingsOf(text, flagsOf(['--healthz-bind-address=127.0.0.1', '--strict-source-ranges=false']));
  t.strictSame(on.kubeProxy.healthzBindAddress, { address: '127.0.0.1', port: 10256 });
  t.equal(on.proxy.strictSourceRanges, false);
});

t.test('--kubeconfig overrides the manifests of the file', async (t) => {
  const text = 'apiVersion: nftlane.io/v1alpha1\nkind: NftlaneConfiguration\nmanifests: /m\n';
  t.equal(settingsOf(text).manifests, '/m');
  const { manifests, kubeProxy } = settingsOf(text, flagsOf(['--kubeconfig=/k']));
  t.strictSame([manifests, kubeProxy.clientConnection.kubeconfig], [undefined, '/k']);
});

t.test('every flag sets an existing field', async (t) => {
  for (const { name, kind, path } of TABLE) {
    let schema: unknown = kind === KUBE_PROXY_KIND ? KUBE_PROXY_SCHEMA : NFTLANE_SCHEMA;
    for (const key of path.replace('*', 'nftables').split('.')) {
      schema = unwrapSchema((schema as { shape: Record<string, unknown> }).shape[key]);
    }
    t.ok(schema, `--${name}: ${path}`);
  }
});

t.test('normalizeArguments() accepts the flag syntax of Go programs', async (t) => {
  const cases: [given: string, taken: string][] = [
    ['--cluster_cidr=a_b', '--cluster-cidr=a_b'],
    ['--masquerade_all=T', '--masquerade-all'],
    ['--masquerade-all=0', '--no-masquerade-all'],
    ['--masquerade-all=maybe', '--masquerade-all=maybe'],
    ['--file=true', '--file=true'],
    ['plain_word', 'plain_word'],
    ['-v', '-v'],
    ['--', '--'],
  ];
  for (const [given, taken] of cases) t.strictSame(normalizeArguments([given]), [taken]);
  t.strictSame(configurationOf(undefined, flagsOf([])).overridingFlags, []);
});

t.test('readPortFlags() adds a port to an address without one, and 0 disables a server', async (t) => {
  const cases: [given: Record<string, unknown>, health: unknown, metrics: unknown][] = [
    [{ healthzPort: '7' }, { address: '0.0.0.0', port: 7 }, { address: '127.0.0.1', port: 10_249 }],
    [{ healthzPort: '7', healthzBindAddress: 'fd00::1' }, { address: 'fd00::1', port: 7 }, { port: 10_249 }],
    [{ metricsPort: '8', metricsBindAddress: '192.0.2.1:9' }, { port: 10_256 }, { address: '192.0.2.1', port: 9 }],
    [{ healthzPort: '0', metricsPort: '0', healthzBindAddress: '192.0.2.1' }, undefined, undefined],
    [{ healthzPort: '7', healthzBindAddress: '' }, undefined, { port: 10_249 }],
  ];
  for (const [given, health, metrics] of cases) {
    const flags = [...readConfigFlags(given, { flags: TABLE, mode: undefined }), ...readPortFlags(given)];
    const { kubeProxy } = settingsOf(undefined, flags);
    t.match({ health: kubeProxy.healthzBindAddress, metrics: kubeProxy.metricsBindAddress }, { health, metrics });
    t.strictSame(configurationOf(undefined, flags).overridingFlags, [], 'there is no file to override');
  }
  t.throws(() => settingsOf(undefined, readPortFlags({ metricsPort: 'x' })), {
    message: /--metrics-port: "127.*:x" is/,
  });
});

t.test('normalizeArguments() ignores the output style of --version', async (t) => {
  t.strictSame(normalizeArguments(['--version=raw', '--version=true']), ['--version', '--version']);
});
