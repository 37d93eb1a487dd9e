// Tests changed MAC addresses: of the client, which is the next hop here, and of pods, which need not announce them.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { decodeBackend } from '../../../src/fastpath/maps/entries.ts';
import { fromHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES, NODE_PORT_TARGETS, setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { BRIDGE } from '../../support/fastpath/fast-path-world.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import type { RunningDial } from '../../support/netns/traffic/dialer-process.ts';
import type { DialReport } from '../../support/netns/traffic/programs/messages.ts';

/** Time for a flow to use the new address: the kernel probes neighbors, and the daemon reads them every ten seconds. */
const TIMEOUT_MS = 40_000;
const SOCKETS = 2;

t.setTimeout(230_000);
const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;
const { client, node1 } = fast.world;
// A pod in which a bridge comes first, as before virtual machines: what is for another MAC address is lost there, while a
// device of a pod's own takes whatever the programs bring.
const [, bridgedGuest] = setup.pods.bridged;
if (bridgedGuest === undefined) throw new Error('Cannot start: the bridge must have a second pod');
await bridgedGuest.configure([
  'link add name inner type bridge forward_delay 0 mcast_snooping 0',
  `address del ${bridgedGuest.ip}/25 dev eth0`,
  `address del ${bridgedGuest.ip6}/64 dev eth0`,
  'link set dev eth0 master inner',
  'link set dev inner up',
  `address add ${bridgedGuest.ip}/25 dev inner`,
  `address add ${bridgedGuest.ip6}/64 dev inner nodad`,
  `route replace default via ${BRIDGE.ip}`,
  `route replace default via ${BRIDGE.ip6}`,
]);
// Neighbors are reachable for a second instead of half a minute, and are probed soon after that.
for (const family of ['ipv4', 'ipv6']) {
  const settings = { base_reachable_time_ms: 1000, delay_first_probe_time: 1, retrans_time_ms: 200 };
  for (const device of ['lan', 'br0', 'pod-a', 'pod-b']) {
    const named = Object.entries(settings).map(([key, value]) => [`net.${family}.neigh.${device}.${key}`, value]);
    await node1.sysctl(Object.fromEntries(named));
  }
}

interface PersistentFlow {
  readonly name: string;
  readonly flow: RunningDial;
  readonly pod: string;
}

/** Starts flows to every target that send requests continuously. Each records the pod that answers it. */
async function startPersistentFlows(): Promise<PersistentFlow[]> {
  const targets = NODE_PORT_TARGETS.flatMap((target) => Array.from({ length: SOCKETS }, () => target));
  return Promise.all(
    targets.map(async ({ name, protocol, address, port }) => {
      // A UDP request is lost with its datagram; a TCP request waits for retransmission.
      const timeoutMs = protocol === 'udp' ? 500 : TIMEOUT_MS;
      const flow = await dialer.keepConnection({ protocol, address, port, timeoutMs, everyMs: 100 });
      return { name, flow, pod: Object.keys((await flow.snapshot()).pods).join() };
    }),
  );
}

/** Expects that each flow is answered again, by the same pod. */
async function expectRecovered(t: Test, kept: readonly PersistentFlow[], since: number): Promise<void> {
  const deadline = since + TIMEOUT_MS;
  await Promise.all(
    kept.map(async ({ name, flow, pod }) => {
      let before = await flow.snapshot();
      let after: DialReport = before;
      do {
        before = after;
        after = await flow.snapshot();
      } while (after.answered === before.answered && performance.now() < deadline);
      t.ok(after.answered > before.answered, `${name}: a response after ${Math.round(performance.now() - since)} ms`);
      const { pods, errors, refused } = await flow.stop();
      t.strictSame({ pod: Object.keys(pods).join(), errors, refused }, { pod, errors: {}, refused: 0 }, name);
    }),
  );
}

/** Changes the MAC address of a device. */
function setMac(namespace: Namespace, device: string, last: string, then: readonly string[] = []): Promise<void> {
  return namespace.configure([`link set dev ${device} address ${macOf(last)}`, ...then]);
}

function macOf(last: string): string {
  return `02:00:00:00:01:${last}`;
}

/** Makes the client's neighbor entries permanent: its requests would update those of the node. */
async function permanentNeighbors(): Promise<string[]> {
  const [link]: { address: string }[] = JSON.parse(await node1.output('ip', ['-j', 'link', 'show', 'dev', 'lan']));
  return FAMILIES.map((family) => `neigh replace ${node1[family]} lladdr ${link?.address} dev lan nud permanent`);
}

/** Reads the MAC addresses of used backends from the maps. */
async function backendMacs(): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const line of await fast.requestLoader('dump backends')) {
    const [kind, , value = ''] = line.split(' ');
    const backend = kind === 'entry' ? decodeBackend(fromHex(value)) : undefined;
    if (backend === undefined || backend.gen === 0) continue;
    const mac = [...backend.mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    found.set(backend.address, (found.get(backend.address) ?? new Set()).add(mac));
  }
  return found;
}

/** Waits until the maps have this MAC address for the pod, and no other. */
async function expectMacKnown(t: Test, pod: Namespace, last: string): Promise<void> {
  const since = performance.now();
  const isKnown = async (): Promise<boolean> => {
    const now = await backendMacs();
    return FAMILIES.every((family) => [...(now.get(pod[family]) ?? [])].join() === macOf(last));
  };
  while (!(await isKnown()) && performance.now() < since + TIMEOUT_MS) await delay(100);
  t.ok(await isKnown(), `${pod.name}: known after ${Math.round(performance.now() - since)} ms`);
}

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await setup.startFastPath();
    const digit = offloads === 'on' ? '0' : '1';

    await t.test('of the client', async (t) => {
      const kept = await startPersistentFlows();
      const created = await fast.countReasons('CREATED');
      const since = performance.now();
      await setMac(client, 'lan', `${digit}9`, await permanentNeighbors());
      await expectRecovered(t, kept, since);
      t.equal(await fast.countReasons('CREATED'), created, 'no flow was created again');
    });

    await t.test('of pods', async (t) => {
      const kept = await startPersistentFlows();
      const { slots } = await fast.inspect();
      const created = await fast.countReasons('CREATED');
      const since = performance.now();
      await Promise.all(
        setup.allPods.map(async (pod, i) => {
          await setMac(pod, pod === bridgedGuest ? 'inner' : 'eth0', `${digit}${i + 1}`);
          await expectMacKnown(t, pod, `${digit}${i + 1}`);
        }),
      );
      await expectRecovered(t, kept, since);
      t.equal(await fast.countReasons('CREATED'), created, 'no flow was created again');
      t.strictSame((await fast.inspect()).slots, slots, 'the slots are the same');
    });
    await fast.daemon.stop();
  });
}
