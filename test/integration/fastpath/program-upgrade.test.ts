// A new daemon brings other programs, which take the place of those at work while traffic goes on.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  startNewFlows,
  startPersistentFlows,
  stopNewFlows,
  stopPersistentFlows,
} from '../../support/fastpath/background-traffic.ts';
import { setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { output } from '../../support/netns/process.ts';

const SOURCES = fileURLToPath(new URL('../../../bpf', import.meta.url));

t.setTimeout(230_000);
const directory = await mkdtemp(join(tmpdir(), 'nftlane-upgrade-'));
t.teardown(() => rm(directory, { recursive: true }));
// The same programs, of other instructions.
await output('make', ['-C', SOURCES, `OUT=${directory}`, 'CPU=v3'], { timeoutMs: 60_000 });
const UPGRADE_FLAGS = ['--fast-path-program', join(directory, 'nftlane-bpf')];

const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;

interface Attached {
  /** The uplink, and each pod. */
  readonly hooks: readonly string[];
  /** As the kernel numbers what was loaded. */
  readonly ids: readonly string[];
  /** What they are made of, as the kernel sums it up. */
  readonly tags: readonly string[];
}

async function attached(): Promise<Attached> {
  const lines = (await fast.requestLoader('list')).filter((line) => line.startsWith('attachment '));
  const places = lines.map((line) => line.replace(/ program=.*/, '')).sort();
  const ids = [...new Set(lines.flatMap((line) => /program=(\d+) attached/.exec(line)?.[1] ?? []))];
  const shown = await Promise.all(ids.map((id) => output('bpftool', ['-j', 'prog', 'show', 'id', id])));
  return { hooks: places, ids, tags: shown.map((json): string => JSON.parse(json).tag).sort() };
}

function intersection(one: readonly string[], other: readonly string[]): string[] {
  return one.filter((each) => other.includes(each));
}

for (const offloads of OFFLOADS) {
  t.test(`to other programs and back, offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await setup.startFastPath();
    const [kept, held] = [await startPersistentFlows(dialer), await startNewFlows(dialer)];
    const old = await attached();
    t.equal(old.hooks.length, 5, 'the uplink and four pods');
    t.equal(old.tags.length, 2);
    let before = old;
    for (const flags of [UPGRADE_FLAGS, []]) {
      const name = flags.length > 0 ? 'newer' : 'older';
      const { slots } = await fast.inspect();
      await fast.daemon.stop();
      const taken = await fast.countReasons('FORWARDED');
      await setup.startFastPath(...flags);
      const after = await attached();
      t.strictSame(after.hooks, old.hooks, name);
      t.equal(after.ids.length, 2, `${name}: each place has the program for it`);
      t.strictSame(intersection(after.ids, before.ids), [], `${name}: no place has one of before`);
      if (flags.length > 0) t.strictSame(intersection(after.tags, old.tags), [], 'they are other programs');
      else t.strictSame(after.tags, old.tags, 'the programs of before');
      await fast.waitFor('the flows of before go on', ({ packets }) =>
        packets.some(({ reason, count }) => reason === 'FORWARDED' && count > taken),
      );
      t.strictSame((await fast.inspect()).slots, slots, `${name}: every backend has its slot from before`);
      before = after;
    }
    const begun = await stopNewFlows(t, held, 'across two upgrades');
    const created = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    t.ok(created >= begun, `${begun} flows began by the fast path`);
    await stopPersistentFlows(t, kept, { message: 'across two upgrades' });
    await fast.daemon.stop();
  });
}
