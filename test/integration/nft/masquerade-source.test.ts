// Tests that explain's source of masqueraded packets is the one that the kernel chooses, with random links and addresses.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type MasqueradedEndpoint, masqueradeSources } from '../../../src/admin/masquerade-sources.ts';
import type { DoctorContext } from '../../../src/doctor/check.ts';
import { checkMasquerade } from '../../../src/doctor/masquerade-check.ts';
import type { System } from '../../../src/host/process/system.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { daemonStatus } from '../../support/builders/daemon-status.ts';
import { createWorld } from '../../support/netns/world.ts';
import { Random } from '../../support/random.ts';

const SEED = Number(process.env['SEED'] ?? 4);
const SETUPS = Number(process.env['SETUPS'] ?? 12);
const FAR: Readonly<Record<Family, string>> = { ip: '10.66.0.10', ip6: 'fd66::10' };

const world = await createWorld();
t.teardown(() => world.destroy());
t.setTimeout(120_000);
const { node1: node, client } = world;
const source = new Random(SEED);
const random = () => source.next();
/** `ip` in the namespace of the node. */
const system: Pick<System, 'run'> = { run: (command, args) => node.exec(command, args) };

await node.configure([`link add x0 type veth peer name x1 netns ${client.name}`, 'link set x0 up']);
await node.configure(['link add y0 type veth peer name y1', 'link set y0 up']);
await client.configure(['link set x1 up']);
await node.output('nft', [
  'add table inet other; add chain inet other out { type nat hook postrouting priority srcnat; }; add rule inet other out oifname x0 masquerade',
]);

/** Addresses that may be on a link; two of them are in the subnet of the gateway. */
const POOL: Readonly<Record<Family, readonly string[]>> = {
  ip: ['10.70.0.1/24', '10.70.0.2/24', '10.71.0.1/24', '198.51.100.99/32', '192.0.2.1/32', '10.66.0.1/16'],
  ip6: ['fd70::1/64', 'fd70::2/64', 'fd66::1/32', '2001:db8:9::1/128', '2001:db8:70::1/64', 'fd66::2/128'],
};
const GATEWAY: Readonly<Record<Family, string>> = { ip: '10.70.0.9', ip6: 'fd70::9' };

function some<T>(items: readonly T[], max: number): T[] {
  const left = [...items];
  const count = Math.floor(random() * (max + 1));
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)).flat();
}

async function setUp(family: Family): Promise<string[]> {
  const flag = family === 'ip' ? '-4' : '-6';
  for (const link of ['lo', 'x0', 'y0']) await node.exec('ip', [flag, 'addr', 'flush', 'dev', link, 'scope', 'global']);
  const onLinks = { x0: some(POOL[family], 2), lo: some(POOL[family], 1), y0: some(POOL[family], 1) };
  const options = family === 'ip6' ? ' nodad' : '';
  const used = new Set<string>();
  const commands = Object.entries(onLinks).flatMap(([link, addresses]) =>
    addresses.flatMap((address) => {
      if (used.has(address)) return [];
      used.add(address);
      return [
        `addr add ${address} dev ${link}${options}${random() < 0.2 && family === 'ip6' ? ' preferred_lft 0' : ''}`,
      ];
    }),
  );
  await node.configure(commands);
  const length = family === 'ip' ? 32 : 128;
  const route = [flag, 'route', 'replace', `${FAR[family]}/${length}`];
  const gateway = random() < 0.3 ? GATEWAY[family] : undefined;
  const via = gateway === undefined ? [] : ['via', gateway, 'onlink'];
  // The kernel refuses a gateway that another link has as its subnet.
  const { status } = await node.exec('ip', [...route, 'dev', 'x0', ...via]);
  if (status !== 0) await node.output('ip', [...route, 'dev', 'x0']);
  return [...commands, `route ${status === 0 ? via.join(' ') : ''}`];
}

/** The source of a packet of this host, which masquerading replaces. */
async function chosenSource(family: Family): Promise<string | undefined> {
  await node.exec('conntrack', ['-F']);
  // Of another link, so that the source is not that of the route already.
  await node.exec('bash', ['-c', `echo >/dev/udp/${FAR[family]}/9`]);
  await delay(20);
  const flag = family === 'ip' ? 'ipv4' : 'ipv6';
  const { stdout } = await node.exec('conntrack', ['-L', '-f', flag, '-p', 'udp', '--orig-dst', FAR[family]]);
  return /\[UNREPLIED\] src=\S+ dst=(\S+)/.exec(stdout)?.[1];
}

async function check(t: Test, family: Family): Promise<MasqueradedEndpoint | undefined> {
  const setup = await setUp(family);
  const [expected] = await masqueradeSources([FAR[family]], system);
  t.equal(expected?.source, await chosenSource(family), `${setup.join('; ')} (seed ${SEED})`);
  return expected;
}

t.test('masqueradeSources() gives the address that the kernel takes', async (t) => {
  for (const family of FAMILIES) {
    const found: (MasqueradedEndpoint | undefined)[] = [];
    for (let n = 0; n < SETUPS; n++) found.push(await check(t, family));
    t.ok(
      found.some((entry) => entry?.link === 'x0'),
      `${family}: of the link`,
    );
    t.ok(
      found.some((entry) => entry?.link !== 'x0'),
      `${family}: of another link`,
    );
  }
});

t.test("checkMasquerade() warns of a link without an address where another than the node's is taken", async (t) => {
  for (const family of FAMILIES) {
    const [flag, bits] = family === 'ip' ? ['-4', 32] : ['-6', 128];
    const [own, foreign] = family === 'ip' ? ['192.0.2.1', '198.51.100.99'] : ['2001:db8:9::1', 'fd66::1'];
    for (const link of ['lo', 'x0', 'y0', 'lan'])
      await node.exec('ip', [flag, 'addr', 'flush', 'dev', link, 'scope', 'global']);
    await node.configure([
      ...[foreign, own].map((address) => `addr add ${address}/${bits} dev lo${family === 'ip6' ? ' nodad' : ''}`),
      `route replace ${FAR[family]}/${bits} dev x0 src ${own}`,
    ]);
    const read = (path: string) => node.output('cat', [path]).catch(() => '');
    const check = async (nodeAddress: string) => {
      const objects = {
        EndpointSlice: [{ endpoints: [{ address: FAR[family] }] }],
        Node: [{ key: 'n1', addresses: { [family]: nodeAddress } }],
      };
      const state = { ready: true, status: daemonStatus(), options: { nodeName: 'n1' }, objects };
      const daemon = { daemon: 'running', state, remains: {} };
      const [found] = await checkMasquerade({ daemon, system: { ...system, read } } as unknown as DoctorContext);
      return found;
    };
    const [{ source } = { source: undefined }] = await masqueradeSources([FAR[family]], system);
    t.equal(source, await chosenSource(family));
    t.match(
      await check(source === own ? foreign : own),
      source === own ? { status: 'ok' } : { status: 'warning', message: /x0: .* of lo/ },
    );
    t.match(await check(source ?? ''), { status: 'ok' }, "the node's address");
  }
});
