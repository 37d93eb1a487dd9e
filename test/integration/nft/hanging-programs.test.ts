// Programs that hang: changes arrive, health is right, and the log says what hangs.

import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { clusterIps, service } from '../../support/builders/service.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { nodeObjects } from '../../support/netns/manifests.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';
import { getHealth } from '../../support/netns/traffic/health-client.ts';
import { poll } from '../../support/wait-until.ts';

const CHANGES = 20;
const CHANGE_LIMIT_MS = 1_000;
/** Inspection commands. */
const COMMANDS = [
  ['inspect', 'services'],
  ['diff'],
  ['explain', '10.1.1.5', '172.30.0.53:53/udp'],
  ['doctor'],
] as const;
const FAILURE = 'cannot delete stale UDP conntrack entries';

t.setTimeout(180_000);
const single = await createSingleNode(t);
const { node, scratch } = single;
const dns = service('shop/dns', { spec: { ...clusterIps('172.30.0.53'), ports: [{ port: 53, protocol: 'UDP' }] } });
const web = (n: number) =>
  service(`shop/web-${n}`, { spec: { ...clusterIps(`172.30.1.${n}`), ports: [{ port: 80 }] } });

t.test('a hanging conntrack delays no change and no SIGTERM, and is ended and reported', async (t) => {
  const [program, started] = [join(scratch, 'conntrack'), join(scratch, 'conntrack-started')];
  // The shell is killed; `sleep` survives it and has its pipes.
  await writeFile(program, `#!/bin/sh\n: >>'${started}'\nsleep 90\nexit 0\n`);
  await chmod(program, 0o755);
  const exists = () =>
    access(started).then(
      () => true,
      () => false,
    );
  await single.write('nodes.yaml', ...nodeObjects());
  await single.write('dns.yaml', dns);
  const daemon = single.start('--conntrack', program);
  await daemon.waitForLog('ruleset complete');
  await single.write('dns.yaml');
  await poll(exists, { until: Boolean, failure: () => 'conntrack was not started', timeoutMs: 30_000 });

  const elements = () => node.output('nft', ['list', 'map', 'ip', 'nftlane', 'no-endpoint-services']);
  const durations: number[] = [];
  for (let n = 1; n <= CHANGES; n++) {
    const startedAt = performance.now();
    await single.write(`web-${n}.yaml`, web(n));
    await poll(elements, {
      until: (text) => text.includes(`172.30.1.${n} `),
      failure: (text) => `shop/web-${n} is missing: ${text}`,
      timeoutMs: 30_000,
    });
    durations.push(performance.now() - startedAt);
    for (const path of ['/healthz', '/livez'])
      t.match(await getHealth(node, '127.0.0.1', 10_256, path), { status: 200 });
  }
  const longest = Math.max(...durations);
  t.ok(longest < CHANGE_LIMIT_MS * loadFactor(), `the slowest change took ${longest.toFixed()} ms`);

  t.match(await daemon.waitForLog(FAILURE), {
    level: 'warn',
    reason: /conntrack -L .*: it did not end within \d+(\.\d+)? s$/,
  });
  const metrics = await node.output('curl', ['-s', 'http://127.0.0.1:10249/metrics']);
  t.match(metrics, /^nftlane_conntrack_cleanup_failures_total [1-9]/m);
  const stoppedAt = performance.now();
  t.equal(await daemon.stop(), 0);
  t.ok(performance.now() - stoppedAt < 2_000 * loadFactor());
});

t.test('an nft monitor that does not read its notifications is replaced within seconds', async (t) => {
  const program = join(scratch, 'nft-monitor');
  // The first one writes to a pipe with room for the list of tables, and then waits.
  await writeFile(
    program,
    `#!/bin/sh
case "$*" in *monitor*) ;; *) exec nft "$@" ;; esac
mkdir '${program}.used' || exec nft "$@"
mkfifo '${program}.full'
sh -c "exec 3<>'${program}.full'; head -c 65400 /dev/zero >&3; exec sleep 60 </dev/null >/dev/null 2>&1" &
sleep 0.5
exec nft "$@" >'${program}.full'
`,
  );
  await chmod(program, 0o755);
  const daemon = single.start('--nft', program);
  const silent = await daemon.waitForLog('no kernel notifications of ruleset changes; restarting nft monitor');
  t.match(silent, { reason: 'it does not read the notifications' });
  await daemon.waitForLog('listening to kernel notifications of ruleset changes');
  await node.output('nft', ['flush', 'map', 'ip', 'nftlane', 'no-endpoint-services']);
  await daemon.waitForLog('another process changed the ruleset; repairing');
  t.equal(await daemon.stop(), 0);
});

t.test('an nft that hangs makes /healthz fail after ten seconds, not /livez, and commands say so', async (t) => {
  const [program, hang] = [join(scratch, 'nft-hanging'), join(scratch, 'hang')];
  // The session gets its lines one by one, so that it can hang, too.
  await writeFile(
    program,
    `#!/bin/bash
wait_if_hanging() { if [ -e '${hang}' ]; then exec sleep 20 </dev/null >/dev/null 2>&1; fi; }
wait_if_hanging
[ "$*" = -i ] || exec nft "$@"
while IFS= read -r line; do wait_if_hanging; printf '%s\\n' "$line"; done | nft -i
`,
  );
  await chmod(program, 0o755);
  const daemon = single.start('--nft', program);
  await daemon.waitForLog('ruleset complete');
  const status = async (path: string) => (await getHealth(node, '127.0.0.1', 10_256, path)).status;
  const becomes = (expected: number, timeoutMs: number) =>
    poll(() => status('/healthz'), {
      until: (code) => code === expected,
      failure: (code) => `/healthz: ${code}`,
      timeoutMs,
    });
  t.equal(await becomes(200, 10_000), 200);

  await writeFile(hang, '');
  const from = performance.now();
  const commands = COMMANDS.map(async (words) => {
    const result = await single.installation.exec([...words, '--nft', program]);
    return { ...result, name: words.join(' '), tookMs: performance.now() - from };
  });
  await single.write('web-1.yaml');
  await becomes(503, 60_000);
  const tookMs = performance.now() - from;
  t.ok(tookMs > 8000 && tookMs < 12_000 + 4000 * loadFactor(), `503 after ${tookMs.toFixed()} ms`);
  t.equal(await status('/livez'), 200, 'a restart would not help');
  const { stdout } = await single.installation.exec(['inspect', 'services']);
  t.match(stdout, /^# node node1; .*; PROBLEM: last sync failed .* ago, failing for \d+s: .*nft/);

  for (const { name, status, stdout, stderr, tookMs } of await Promise.all(commands)) {
    const [limitMs, text] = name === 'doctor' ? [24_000, stdout] : [14_000, stderr];
    t.ok(tookMs < limitMs + 3000 * loadFactor(), `${name} took ${tookMs.toFixed()} ms`);
    t.match(text, /Cannot run "\S+nft-hanging --version": it did not end within 10 s/, name);
    t.equal(status, name === 'doctor' ? 1 : 5, name);
    if (name !== 'doctor') continue;
    t.match(text, /^problem +nft +the check failed: Cannot run/m);
    t.match(text, /^problem +ruleset +cannot compare the desired ruleset with the kernel: .* within 10 s$/m);
    t.match(text, /^problem +other rules +the check failed: Not run again: Cannot run /m);
    t.match(text, /^ok +daemon +process \d+/m, 'what needs no nft is shown');
  }

  await rm(hang);
  t.equal(await becomes(200, 60_000), 200);
  t.notMatch(await node.output('nft', ['list', 'map', 'ip', 'nftlane', 'no-endpoint-services']), '172.30.1.1 ');
  t.equal(await daemon.stop(), 0);
});
