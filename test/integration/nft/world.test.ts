// Tests of the test world: connectivity, reports of dialers, and cleanup.

import { readdir } from 'node:fs/promises';
import t from 'tap';
import type { DialReport } from '../../support/netns/traffic/programs/messages.ts';
import { createWorld, type World } from '../../support/netns/world.ts';

const PORT = 8080;
const REFUSED_PORT = 8081;

t.test('client and pods reach pods over both families and protocols', async (t) => {
  const world = await worldOf(t);
  await world.pod('a').respond({ tcp: [PORT], udp: [PORT] });
  await world.pod('c').respond({ tcp: [PORT], udp: [PORT] });
  for (const from of [world.client, world.pod('c'), world.node2]) {
    const dialer = await from.dialer();
    for (const protocol of ['tcp', 'udp'] as const) {
      for (const family of ['ip', 'ip6'] as const) {
        const address = world.pod('a')[family];
        const report = await dialer.dial({ protocol, address, port: PORT, count: 40 });
        const expected = { attempts: 40, pods: { a: 40 }, clients: [from[family]] };
        t.match(report, expected, `${from.name} to a: ${protocol} ${address}`);
      }
    }
  }
  const dialer = await world.client.dialer();
  t.match(await dialer.dial({ protocol: 'tcp', address: world.pod('c').ip6, port: PORT, count: 1 }), {
    pods: { c: 1 },
  });
});

t.test('reports distinguish refusals, timeouts and source ports', async (t) => {
  const world = await worldOf(t);
  await world.pod('a').respond({ tcp: [PORT], udp: [PORT] });
  const dialer = await world.client.dialer();
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const address of [world.pod('a').ip, world.pod('a').ip6]) {
      const refused = await dialer.dial({ protocol, address, port: REFUSED_PORT, count: 200 });
      t.match(refused, { attempts: 200, refused: 200 }, `${protocol} ${address}`);
      const bound = await dialer.dial({ protocol, address, port: PORT, count: 5, sourcePort: 4321 });
      t.match(bound, { pods: { a: 5 } }, `${protocol} ${address} from one source port`);
    }
    const unused = { protocol, address: '172.30.0.1', port: PORT, count: 2, timeoutMs: 100 };
    t.match(await dialer.dial(unused), { attempts: 2, timedOut: 2 }, `${protocol} to an unused address`);
  }
});

t.test('background connections continue until stopped', async (t) => {
  const world = await worldOf(t);
  const responder = await world.pod('c').respond({ tcp: [PORT], udp: [PORT] });
  const dialer = await world.client.dialer();
  const target = { protocol: 'tcp', address: world.pod('c').ip, port: PORT } as const;
  const constantRate = await dialer.dialAtRate({ ...target, perSecond: 200 });
  const connection = await dialer.keepConnection({ ...target, everyMs: 1 });
  const flow = await dialer.keepConnection({ ...target, protocol: 'udp', everyMs: 1 });
  for (const running of [constantRate, connection, flow]) {
    await running.snapshot();
    t.ok(allAnswered(await running.snapshot()));
  }
  t.ok(allAnswered(await constantRate.stop()));
  await responder.stop();
  t.notOk(allAnswered(await connection.snapshot()), 'a connection ends with its server');
  await connection.stop();
  t.ok((await flow.snapshot()).refused > 0, 'a UDP flow is refused without its server');
  await world.pod('c').respond({ udp: [PORT] });
  const { answered } = await flow.snapshot();
  t.ok((await flow.snapshot()).answered > answered, 'a UDP flow reaches the next server');
  await flow.stop();
});

t.test('pods can be added and removed', async (t) => {
  const world = await worldOf(t);
  const added = await world.addPod('node2', 'late');
  await added.respond({ tcp: [PORT] });
  const dialer = await world.client.dialer();
  const target = { protocol: 'tcp', address: added.ip, port: PORT, count: 1, timeoutMs: 200 } as const;
  t.match(await dialer.dial(target), { pods: { late: 1 } });
  await world.removePod('late');
  t.match(await dialer.dial(target), { answered: 0 });
  t.throws(() => world.pod('late'), { message: 'Cannot find pod "late": it does not exist' });
});

t.test('commands have a time limit and return their status', async (t) => {
  const { client } = await worldOf(t);
  t.match(await client.exec('cat', [], { input: 'through' }), { stdout: 'through', status: 0, timedOut: false });
  t.match(await client.exec('sh', ['-c', 'echo no >&2; exit 3']), { stderr: 'no\n', status: 3 });
  t.match(await client.exec('sleep', ['60'], { timeoutMs: 50 }), { status: 137, timedOut: true });
  await t.rejects(client.output('false'), /exit status 1/);
});

t.test('destroy() removes all namespaces and processes', async (t) => {
  const world = await createWorld({ pods: { node1: ['a'] } });
  const prefix = world.client.name.replace(/client$/, '');
  const left = async () => (await readdir('/run/netns')).filter((name) => name.startsWith(prefix));
  t.equal((await left()).length, 5);
  const child = world.pod('a').spawn('sleep', ['60']);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await world.destroy();
  await ended;
  t.strictSame(await left(), []);
});

async function worldOf(t: { teardown(end: () => unknown): unknown }): Promise<World> {
  const world = await createWorld({ pods: { node1: ['a'], node2: ['c'] } });
  t.teardown(() => world.destroy());
  return world;
}

function allAnswered({ answered, attempts }: DialReport): boolean {
  return answered > 1 && answered === attempts;
}
