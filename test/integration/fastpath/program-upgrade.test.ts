// Tests replacing the attached programs by other ones under load.

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
// The same programs with another instruction set.
await output('make', ['-C', SOURCES, `OUT=${directory}`, 'CPU=v3'], { timeoutMs: 60_000 });
const UPGRADE_FLAGS = ['--fast-path-program', join(directory, 'nftlane-bpf')];

const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;

interface Attached {
  /** The uplink and each pod. */
  readonly hooks: readonly string[];
  /** Program IDs. */
  readonly ids: readonly string[];
  /** Hashes of the instructions. */
  readonly tags: readonly string[];
}

async function attached(): Promise<Attached> {
  const lines = (await fast.requestLoader('list')).filter((line) => line.startsWith('attachment '));
  const hooks = lines.map((line) => line.replace(/ program=.*/, '')).sort();
  const ids = [...new Set(lines.flatMap((line) => /program=(\d+) attached/.exec(line)?.[1] ?? []))];
  const shown = await Promise.all(ids.map((id) => output('bpftool', ['-j', 'prog', 'show', 'id', id])));
  return { hooks, ids, tags: shown.map((json): string => JSON.parse(json).tag).sort() };
}

function intersection(a: readonly string[], b: readonly string[]): string[] {
  return a.filter((value) => b.includes(value));
}

for (const offloads of OFFLOADS) {
  t.test(`programs are replaced by others and back, offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await setup.startFastPath();
    const [kept, newFlows] = [await startPersistentFlows(dialer), await startNewFlows(dialer)];
    const old = await attached();
    t.equal(old.hooks.length, 5, 'the uplink and four pods');
    t.equal(old.tags.length, 2);
    let before = old;
    for (const flags of [UPGRADE_FLAGS, []]) {
      const name = flags.length > 0 ? 'upgrade' : 'downgrade';
      const { slots } = await fast.inspect();
      await fast.daemon.stop();
      const taken = await fast.countReasons('FORWARDED');
      await setup.startFastPath(...flags);
      const after = await attached();
      t.strictSame(after.hooks, old.hooks, name);
      t.equal(after.ids.length, 2, `${name}: each hook has its program`);
      t.strictSame(intersection(after.ids, before.ids), [], `${name}: no earlier program is attached`);
      if (flags.length > 0) t.strictSame(intersection(after.tags, old.tags), [], 'the programs differ');
      else t.strictSame(after.tags, old.tags, 'the programs are the original ones');
      await fast.waitFor('earlier flows continue', ({ packets }) =>
        packets.some(({ reason, count }) => reason === 'FORWARDED' && count > taken),
      );
      t.strictSame((await fast.inspect()).slots, slots, `${name}: every backend keeps its slot`);
      before = after;
    }
    const newFlowCount = await stopNewFlows(t, newFlows, 'across two upgrades');
    const created = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    t.ok(created >= newFlowCount, `the fast path took ${newFlowCount} flows`);
    await stopPersistentFlows(t, kept, { message: 'across two upgrades' });
    await fast.daemon.stop();
  });
}
