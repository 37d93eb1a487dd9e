// Metrics of a daemon over HTTP, with the connection counters of the kernel.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';

/** The counters are read at most every ten seconds. */
const TIMEOUT_MS = 60_000;

const proxied = await createProxiedWorld(t);
const { world } = proxied;

/** A page of the daemon of the first node; the server listens on loopback only. */
function page(path: string): Promise<string> {
  const script = `fetch('http://127.0.0.1:10249${path}').then(async (r) => process.stdout.write(await r.text()))`;
  return world.node1.output(process.execPath, ['-e', script]);
}

/** The sum of all series of this name with these labels. */
async function sum(name: string, labels: string): Promise<number> {
  const lines = (await page('/metrics'))
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

t.test('the daemon counts new connections of Services and endpoints', async (t) => {
  const at = await proxied.addService('shop/web', 30, { pods: ['a', 'b'] });
  const daemon = await proxied.restart('node1', '--metrics-connections', '10');
  await daemon.waitUntilReady();
  t.equal(await page('/proxyMode'), 'nftables');
  const labelsOf = (family: string) => `namespace="shop",service="web",port="tcp",ip_family="${family}"`;
  const [ip, ip6] = [labelsOf('IPv4'), labelsOf('IPv6')];
  for (const labels of [ip, ip6]) t.equal(await sum('nftlane_service_connections_total', labels), 0);
  const dialer = await world.pod('shell').dialer();
  for (const [address, count] of [
    [at.ip, 40],
    [at.ip6, 30],
  ] as const) {
    t.match(await dialer.dial({ protocol: 'tcp', address, port: 80, count }), { answered: count });
  }
  const deadline = performance.now() + TIMEOUT_MS;
  while ((await sum('nftlane_service_connections_total', ip6)) === 0 && performance.now() < deadline) await delay(500);
  for (const name of ['nftlane_service_connections_total', 'nftlane_endpoint_connections_total'])
    t.strictSame([await sum(name, ip), await sum(name, ip6)], [40, 30], name);
  t.match(await page('/metrics'), /^nftlane_nft_resident_memory_bytes \d{6,}$/m);
});

t.test('the daemon counts a foreign change', async (t) => {
  await world.node1.output('nft', ['flush', 'table', 'ip', 'nftlane']);
  const deadline = performance.now() + TIMEOUT_MS;
  const repaired = async () => /^nftlane_foreign_changes_total 1$/m.test(await page('/metrics'));
  while (!(await repaired()) && performance.now() < deadline) await delay(500);
  t.ok(await repaired());
  await proxied.daemon('node1').waitUntilReady();
});
