// Tests of the daemon with tables of its own, under traffic, while another program flushes the ruleset.

import t from 'tap';
import { exec } from '../../../src/host/process/exec.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { poll } from '../../support/wait-until.ts';

/** How long and how often the ruleset is flushed. `FLUSH_SECONDS` lengthens it for a measurement. */
const FLUSH_MS = Number(process.env['FLUSH_SECONDS'] ?? 2) * 1000;
const FLUSH_INTERVAL_MS = 100;

const PROBE = 'add table ip nftlane-probe { flags owner,persist; }';
const { status } = await exec('unshare', ['-n', 'nft', '-c', PROBE], { timeoutMs: 30_000 });
const skip = status === 0 ? false : 'this kernel has no tables that can be adopted';

t.setTimeout(180_000);

const proxied = await createProxiedWorld(t);
const { client, node1 } = proxied.world;
const WEB = await proxied.addService('shop/web', 10, { pods: ['a', 'b'] });
await proxied.waitForSync();
const from = await client.dialer();

async function flags(): Promise<string[]> {
  const { stdout } = await proxied.run('node1', 'inspect', 'ruleset', '-o', 'json');
  return JSON.parse(stdout).tables.map((table: { flags: readonly string[] }) => table.flags.join(','));
}

t.test('no new connection fails while another program flushes the ruleset', { skip }, async (t) => {
  // The tables of the daemon before cannot be adopted.
  await proxied.daemon('node1').stop();
  await node1.output('nft', ['flush', 'ruleset']);
  const daemon = await proxied.restart('node1', '--table-ownership', 'auto');
  await daemon.waitForLog('other programs cannot change our tables');
  await daemon.waitUntilReady();
  t.strictSame(await flags(), ['owner,persist', 'owner,persist']);
  const dials = await Promise.all(
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      [WEB.ip, WEB.ip6].map((address) =>
        from.dialAtRate({ protocol, address, port: 80, perSecond: 20, timeoutMs: 1000 }),
      ),
    ),
  );
  const end = performance.now() + FLUSH_MS;
  let flushes = 0;
  for (let at = performance.now(); at < end; at += FLUSH_INTERVAL_MS, flushes++) {
    await node1.output('nft', ['flush', 'ruleset']);
    // Changes continue meanwhile.
    if (flushes % 5 === 0) await proxied.setEndpoints('shop/web', flushes % 2 === 0 ? ['a', 'b', 'c'] : ['a', 'b']);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, at + FLUSH_INTERVAL_MS - performance.now())));
  }
  const reports = await Promise.all(dials.map((dial) => dial.stop()));
  t.comment(`${flushes} flushes: ${JSON.stringify(reports)}`);
  for (const { attempts, answered } of reports) t.equal(answered, attempts);
  await daemon.waitUntilReady();
});

t.test('a session that is stopped or killed delays a change by less than three seconds', { skip }, async (t) => {
  for (const [signal, pods] of [
    ['SIGSTOP', ['a']],
    ['SIGKILL', ['b']],
  ] as const) {
    const { pid } = proxied.daemon('node1');
    const sessions = await node1.output('pgrep', ['-P', String(pid), '-f', 'nft -i']);
    for (const session of sessions.trim().split('\n')) process.kill(Number(session), signal);
    const startedAt = performance.now();
    await proxied.setEndpoints('shop/web', pods);
    await proxied.daemon('node1').waitUntilReady();
    const elapsedMs = performance.now() - startedAt;
    t.ok(elapsedMs < loadFactor() * 3000, `${signal}: ${Math.round(elapsedMs)} ms`);
    const { answered, pods: answering } = await from.dial({ protocol: 'tcp', address: WEB.ip, port: 80, count: 5 });
    t.strictSame([answered, Object.keys(answering)], [5, pods]);
    await poll(flags, {
      until: (found) => found.join(' ') === 'owner,persist owner,persist',
      failure: (found) => `${signal}: the flags are ${found.join(' ')}`,
      timeoutMs: loadFactor() * 5000,
    });
  }
});

t.test(
  'cleanup needs the daemon to be stopped, and removes the tables of a daemon that was killed',
  { skip },
  async (t) => {
    const whileOwned = await proxied.run('node1', 'cleanup');
    t.match(whileOwned, { status: 3, stderr: /Cannot clean up: another daemon|a running process owns it/ });
    await proxied.daemon('node1').kill();
    const { stdout } = await poll(() => proxied.run('node1', 'cleanup'), {
      until: (result) => result.status === 0,
      failure: ({ stderr }) => stderr,
      timeoutMs: 30_000,
    });
    t.match(stdout, /removed nftables table ip nftlane\nremoved nftables table ip6 nftlane/);
    const daemon = await proxied.restart('node1', '--table-ownership', 'auto');
    await daemon.waitForLog('other programs cannot change our tables');
    t.strictSame(await flags(), ['owner,persist', 'owner,persist']);
  },
);
