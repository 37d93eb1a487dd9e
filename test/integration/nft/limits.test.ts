// Services that need too much, beside others, with a running daemon.

import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { buildProgram, installBundle, startDaemon } from '../../support/netns/installation.ts';
import { nodeObjects, writeManifest } from '../../support/netns/manifests.ts';
import { createWorld } from '../../support/netns/world.ts';
import { poll } from '../../support/wait-until.ts';

t.setTimeout(240_000);

const CONFIGURATION = `
apiVersion: nftlane.io/v1alpha1
kind: NftlaneConfiguration
limits: { service: { elements: 30000 } }
`;

/** Requests /livez every 20 ms on new connections, and prints how long each took, in milliseconds. */
const PROBE = `
const { get } = require('node:http');
const ask = () => {
  const at = performance.now();
  const done = (status) => { console.log(status + ' ' + (performance.now() - at)); setTimeout(ask, 20); };
  get('http://127.0.0.1:10256/livez', { agent: false }, (response) => response.resume().on('end', () => done(response.statusCode)))
    .on('error', ({ code }) => done(code));
};
ask();
`;

const scratch = await mkdtemp(join(tmpdir(), 'nftlane-limits-'));
const manifests = join(scratch, 'manifests');
await mkdir(manifests);
const [program, world] = await Promise.all([buildProgram(join(scratch, 'nftlane.mjs')), createWorld()]);
t.teardown(async () => {
  await world.destroy();
  await rm(scratch, { recursive: true, force: true });
});
const { node1 } = world;
const installation = installBundle(node1, { program, runDir: join(scratch, 'run') });

/** A Service of one tenant, with the same endpoints at many ports and addresses. */
function amplified(name: string, ip: string, { ports, endpoints }: { ports: number; endpoints: number }): ApiObject[] {
  const names = Array.from({ length: ports }, (_, index) => ({ name: `p${index}`, protocol: 'TCP' }));
  return [
    service(name, {
      metadata: { annotations: { 'nftlane.io/balance': 'maglev' } },
      spec: {
        ...clusterIps(ip),
        externalIPs: ['a', 'b'].map((_, index) => `198.18.${index}.${ip.split('.')[3]}`),
        ports: names.map((port, index) => ({ ...port, port: 1000 + index })),
      },
    }),
    slice(name, {
      ports: names.map((port) => ({ ...port, port: 8080 })),
      endpoints: Array.from({ length: endpoints }, (_, index) => endpoint(`10.2.${index >> 8}.${index & 255}`)),
    }),
  ];
}

function web(endpoints: number): ApiObject[] {
  const hosts = Array.from({ length: endpoints }, (_, index) => endpoint(`10.1.0.${index + 1}`));
  return [service('shop/web', { spec: clusterIps('10.96.0.1') }), slice('shop/web', { endpoints: hosts })];
}

/** How long it takes until the kernel has the element. */
async function untilInstalled(map: string, key: string, timeoutMs: number): Promise<number> {
  const startedAt = performance.now();
  await poll(() => node1.exec('nft', ['get', 'element', 'ip', 'nftlane', map, `{ ${key} }`]), {
    until: ({ status }) => status === 0,
    failure: ({ stderr }) => `The kernel does not have ${map} ${key}: ${stderr}`,
    timeoutMs,
  });
  return performance.now() - startedAt;
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

t.test('a Service that needs too much costs others nothing', async (t) => {
  await writeFile(join(scratch, 'config.yaml'), CONFIGURATION);
  await writeManifest(manifests, 'nodes.yaml', nodeObjects());
  await writeManifest(manifests, 'web.yaml', web(2));
  const config = join(scratch, 'config.yaml');
  const flags = ['--hostname-override', 'node1', '--manifests', manifests, '--config', config, '--log-level', 'debug'];
  const daemon = startDaemon(installation, flags);
  await daemon.waitUntilReady();
  const residentBefore = residentMegabytes(daemon.pid);
  const times: number[] = [];
  const failures: string[] = [];
  const probe = node1.spawn(process.execPath, ['-e', PROBE]);
  createInterface({ input: probe.stdout }).on('line', (line) => {
    const [status = '', ms] = line.split(' ');
    if (status === '200') times.push(Number(ms));
    else failures.push(status);
  });

  await writeManifest(manifests, 'tenant.yaml', [
    ...amplified('tenant/huge', '10.96.0.8', { ports: 100, endpoints: 340 }),
    ...amplified('tenant/greedy', '10.96.0.9', { ports: 20, endpoints: 340 }),
  ]);
  await daemon.waitForLog('Service exceeds a limit');
  await writeManifest(manifests, 'web.yaml', web(3));
  const waited = await untilInstalled('endpoints', '10.96.0.1 . tcp . 80 . 2', 60_000);
  t.ok(waited <= 2000 * loadFactor(), `the change of another Service took ${Math.round(waited)} ms`);
  await untilInstalled('service-ips', '10.96.0.9 . tcp . 1019', 120_000);
  probe.kill();

  t.strictSame(failures, [], 'livez always answers');
  times.sort((a, b) => a - b);
  const [typical = Number.NaN, longest = Number.NaN] = [0.95, 1].map(
    (part) => times[Math.ceil(times.length * part) - 1],
  );
  t.ok(typical <= 100 * loadFactor(), `95 % of ${times.length} requests took up to ${Math.round(typical)} ms`);
  t.ok(longest <= 400 * loadFactor(), `the longest took ${Math.round(longest)} ms`);
  const resident = residentMegabytes(daemon.pid);
  t.ok(resident <= 2 * residentBefore, `${Math.round(resident)} MB instead of ${Math.round(residentBefore)} MB`);

  const { stdout } = await installation.exec(['inspect', 'services', 'tenant/huge']);
  t.match(stdout, /needs 102301 elements, but limits\.service\.elements is 30000; left out/);
  t.equal((await installation.exec(['diff'])).status, 0, 'the daemon and the commands agree');

  const logged = daemon.log.length;
  await writeManifest(manifests, 'tenant.yaml', amplified('tenant/greedy', '10.96.0.9', { ports: 20, endpoints: 200 }));
  await daemon.waitForLog('manifests changed', logged);
  const stoppedAt = performance.now();
  t.equal(await daemon.stop(), 0);
  const took = performance.now() - stoppedAt;
  t.ok(took <= 2000 * loadFactor(), `it ended after ${Math.round(took)} ms`);
});
