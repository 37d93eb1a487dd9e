// Tests of src/daemon/telemetry.ts.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { loadSettings, type ParsedFlags } from '../../../src/cli/flags/proxy-flags.ts';
import { Telemetry } from '../../../src/daemon/telemetry.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { NftClient } from '../../../src/nftables/client/nft-client.ts';
import { loadApiClient } from '../../../src/sources/api-server/client/api-client.ts';
import { startApiServer } from '../../support/api-server/api-server.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { commitOf } from '../../support/builders/sync-report.ts';
import { newEvictions } from '../../support/fakes/evictions.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { recordSink } from '../../support/fakes/recording-sink.ts';
import { silentLog } from '../../support/fakes/silent-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Settings with this metrics address and an empty engine. */
const parts = async (metricsBindAddress: string) => {
  const flags: ParsedFlags & Record<string, string> = { metricsBindAddress };
  const { settings } = await loadSettings(flags);
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  return {
    settings: () => settings,
    engine,
    nftClient: new NftClient({ command: 'nft' }),
    evictions: newEvictions(),
    log: { ...silentLog, dropped: 0 },
  };
};

/** A port that was just free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await waitUntil('port', () => server.listening);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

t.test('Telemetry serves metrics and writes Events', async (t) => {
  const port = await freePort();
  const server = await startApiServer();
  const telemetry = await Telemetry.open(await parts(`127.0.0.1:${port}`));
  const client = await loadApiClient({ kubeconfig: server.kubeconfigPath }, telemetry.requestObserver);
  const state = { phase: 'watching', resourceVersion: '1', lists: 1, watches: 1, events: 0, failures: 0 } as const;
  telemetry.connectApiServer(client, () => [{ kind: 'Service', ...state }]);
  const stop = new AbortController();
  const running = telemetry.run('1.1.3', stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
    client.close();
    await server.close();
  });
  await waitUntil('Event', () => server.events.all.size === 1);
  t.match([...server.events.all.values()], [{ reason: 'Starting', regarding: { kind: 'Node', name: 'n1' } }]);
  telemetry.countHealthResponse('/livez', 503);
  telemetry.reportHealthPortFailure({ service: 'shop/web', port: 30999, reason: 'another process listens there' });
  telemetry.observer.committed?.(commitOf({ isInitial: true }));
  telemetry.observer.chainsModified?.(['ip services']);
  await waitUntil('Events', () => server.events.all.size === 4);
  telemetry.observer.failed?.(new Error('no'), { startedAt: 0, durationMs: Number.NaN, full: true });
  await waitUntil('an Event although metrics fail', () => server.events.all.size === 5);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  t.match(metrics, /^nftlane_initial_load_complete 1$/m);
  t.match(metrics, /^nftlane_foreign_changes_total 1$/m);
  t.match(metrics, /^kubeproxy_proxy_livez_total\{code="503"\} 1$/m);
  t.match(metrics, /^nftlane_build_info\{.*nft_version="1\.1\.3".*\} 1$/m);
  t.match(metrics, /^nftlane_watch_connected\{kind="Service"\} 1$/m);
  t.match(metrics, /^rest_client_requests_total\{code="201",host=".*",method="POST"\} \d$/m);
  t.match(metrics, /^nftlane_events_total\{outcome="sent"\} \d$/m);
  const configz = (await (await fetch(`http://127.0.0.1:${port}/configz`)).json()) as Record<string, unknown>;
  t.match(configz['kubeproxy.config.k8s.io'], {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    metricsBindAddress: `127.0.0.1:${port}`,
  });
  const sink = recordSink();
  telemetry.countingSink(sink).replace('Service', []);
  t.strictSame(sink.journal, ['replace Service ']);
});

t.test('Telemetry measures nothing if metrics are disabled', async (t) => {
  const telemetry = await Telemetry.open(await parts(''));
  const sink = recordSink();
  t.equal(telemetry.countingSink(sink), sink);
  t.equal(telemetry.requestObserver, undefined);
  telemetry.observer.chainsModified?.(['ip services']);
  telemetry.countConntrackFailure('udp');
  telemetry.observeConntrackCleanup('tcp', { durationMs: 1, deleted: { ip: 0, ip6: 0 } });
  telemetry.countHealthResponse('/healthz', 200);
  const stop = new AbortController();
  const running = telemetry.run('1.1.3', stop.signal);
  stop.abort();
  await running;
});

t.test('Telemetry catches and logs errors of its observers', async (t) => {
  const { log, lines } = recordLog();
  const telemetry = await Telemetry.open({ ...(await parts('127.0.0.1:1')), log: { ...log, dropped: 0 } });
  telemetry.observer.failed?.(new Error('no'), { startedAt: 0, durationMs: Number.NaN, full: true });
  t.match(lines, [{ level: 'error', message: 'cannot update metrics or Events' }]);
});
