// The cleanup of stale TCP attempts beside the fast path: it deletes no entry that an open connection needs, and no flow.

import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { NODES } from '../../support/netns/topology.ts';
import { poll } from '../../support/wait-until.ts';

const DELETED = 'deleted stale TCP conntrack entries';
const HALF_OPEN_PORT = 40_001;
/** Keeps the client from completing a handshake. */
const DROP_SYN_ACK = `table inet test { chain in { type filter hook input priority 0; tcp flags & (syn | ack) == (syn | ack) tcp dport ${HALF_OPEN_PORT} drop; }; }`;
const TIMEOUT_MS = 30_000;

t.setTimeout(120_000);
const { fast, clusterIps, dialer } = await setUpOneService(t);
const { node1, client } = fast.world;
const [a, b] = [fast.world.pod('a'), fast.world.pod('b')];

/** Gives the Service another endpoint, and waits for the cleanup after it, which a stale attempt shows. */
async function move({ from, to }: { readonly from: Namespace; readonly to: Namespace }): Promise<void> {
  const position = fast.daemon.log.length;
  const frontend = ['-s', client.ip, '-d', clusterIps.ip, '--sport', '1000', '--dport', '80'];
  const reply = ['-r', from.ip, '-q', client.ip, '--reply-port-src', `${TARGET_PORT}`, '--reply-port-dst', '1000'];
  await node1.output('conntrack', ['-I', '-p', 'tcp', ...frontend, ...reply, '--state', 'SYN_SENT', '--timeout', '60']);
  await fast.writeService('shop/web', 1, { pods: [to], nodePort: NODE_PORT });
  t.match(await fast.daemon.waitForLog(DELETED, position, TIMEOUT_MS), { count: 1 });
}

t.test('open and half-open connections to a removed endpoint live on, with the fast path and without', async (t) => {
  await fast.writeService('shop/web', 1, { pods: [a], nodePort: NODE_PORT });
  await fast.startDaemon('--fast-path', 'required');
  await fast.waitFor('the node port is served', ({ frontends }) =>
    frontends.some(({ destination }) => /tcp$/.test(destination)),
  );
  const before = await fast.countReasons('CREATED', 'REMAPPED');
  const nodePort = { protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT } as const;
  const clusterIp = { protocol: 'tcp', address: clusterIps.ip, port: 80 } as const;
  const kept = [await dialer.keepConnection(nodePort), await dialer.keepConnection(clusterIp)];
  t.equal(
    (await fast.countReasons('CREATED', 'REMAPPED')) - before,
    1,
    'the fast path has the first, nftables the second',
  );
  await client.output('nft', ['-f', '-'], { input: DROP_SYN_ACK });
  const halfOpen = dialer.dial({ ...clusterIp, sourcePort: HALF_OPEN_PORT, count: 1, timeoutMs: TIMEOUT_MS });
  const entries = () => node1.output('conntrack', ['-L', '-p', 'tcp', '--orig-dst', clusterIps.ip]);
  await poll(entries, { until: (text) => /SYN_RECV/.test(text), failure: (text) => text, timeoutMs: TIMEOUT_MS });

  await move({ from: a, to: b });
  for (const state of [/SYN_RECV/, /ESTABLISHED/]) t.match(await entries(), state);
  t.equal(await fast.conntrackCount(NODE_PORT), 0, 'the fast path still has its connection');
  await client.output('nft', ['delete table inet test']);
  t.strictSame((await halfOpen).pods, { a: 1 });

  await fast.daemon.stop();
  const daemon = await fast.startDaemon('--fast-path', 'off');
  t.match(await daemon.waitForLog('fast path removed', 0, TIMEOUT_MS), { restoredFlows: 1 });
  await move({ from: b, to: a });
  await move({ from: a, to: b });
  t.equal(await fast.conntrackCount(NODE_PORT), 1, 'conntrack has it now');
  for (const connection of kept) {
    await connection.snapshot();
    const { attempts, pods } = await connection.stop();
    t.strictSame(pods, { a: attempts });
  }
});
