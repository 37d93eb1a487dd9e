// The lock of a network namespace: two daemons, commands beside a daemon, and daemons that end in any way.

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { identify } from '../../../src/host/process/process-identity.ts';
import type { Daemon } from '../../support/netns/daemon.ts';
import { installBundle, startDaemon } from '../../support/netns/installation.ts';
import type { PipedChild } from '../../support/netns/process.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';
import { poll } from '../../support/wait-until.ts';

const PAIRS = 20;
const TABLE = 'table inet nftlane-lock';

t.setTimeout(180_000);
const single = await createSingleNode(t);
const { node, program, installation, scratch, flags } = single;

/** Starts a daemon whose run directory is its own. */
const startElsewhere = (name: string): Daemon =>
  startDaemon(installBundle(node, { program, runDir: join(scratch, name) }), [...flags]);

/** Collects standard error. Resolves `end` with it at the exit. */
function watch(child: PipedChild) {
  let text = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  return { child, text: () => text, end: once(child, 'exit') };
}

/** The process that holds the lock. */
async function holderOf(): Promise<number> {
  const [, pid] = /nft (\d+) since/.exec(await node.output('nft', ['list', 'ruleset'])) ?? [];
  return Number(pid);
}

/** Waits until no daemon holds the lock. */
async function released(): Promise<void> {
  await poll(() => node.output('nft', ['list', 'tables']), {
    until: (tables) => !tables.includes(TABLE),
    failure: (tables) => `still locked: ${tables}`,
    timeoutMs: 10_000,
  });
}

async function refuses(t: Test, start: () => Promise<{ status: number | null; text: string }>, pid: number) {
  const { status, text } = await start();
  t.equal(status, 3);
  t.match(text, `another daemon (process ${pid}) runs in this network namespace`);
}

t.test(
  'of two daemons that start at the same time exactly one lives, with the same or another run directory',
  async (t) => {
    const outcomes: string[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const other = installBundle(node, { program, runDir: join(scratch, pair % 2 === 0 ? 'run' : 'other') });
      const both = [installation, other].map((one) => watch(one.start(['run', ...flags])));
      const ended = await Promise.race(both.map(({ end }, index) => end.then(() => index)));
      const [loser, winner] = ended === 0 ? both : both.toReversed();
      if (loser === undefined || winner === undefined) return;
      await poll(() => winner.text(), {
        until: (text) => text.includes('"msg":"started"') || winner.child.exitCode !== null,
        failure: (text) => `not started\n${text}`,
        timeoutMs: 30_000,
      });
      const isNamed = loser.text().includes(`another daemon (process ${winner.child.pid}) runs`);
      outcomes.push(`${loser.child.exitCode} ${winner.child.exitCode} ${isNamed}`);
      winner.child.kill('SIGKILL');
      await winner.end;
      await released();
    }
    t.strictSame([...new Set(outcomes)], ['3 null true']);
  },
);

t.test('the lock survives a stopped owner, a removed run directory and a flushed ruleset', async (t) => {
  const owner = single.start();
  await owner.waitForLog('started');
  owner.signal('SIGSTOP');
  await rm(join(scratch, 'run'), { recursive: true });
  await node.output('nft', ['flush', 'ruleset']);
  const second = async () => {
    const daemon = startElsewhere('second');
    return { status: await daemon.exited(), text: daemon.log.map(({ msg }) => msg).join('\n') };
  };
  await refuses(t, second, owner.pid);
  const command =
    (...args: string[]) =>
    async () => {
      const { status, stderr } = await installation.exec(args);
      return { status, text: stderr };
    };
  await refuses(t, command('cleanup'), owner.pid);
  await refuses(t, command('run', '--init-only', ...flags), owner.pid);
  await refuses(t, command('run', '--cleanup', ...flags), owner.pid);
  owner.signal('SIGCONT');
  t.equal(await owner.stop(), 0);
  await released();
  t.match(await installation.exec(['cleanup']), { status: 0 });
});

t.test('a user without rights cannot take the lock', async (t) => {
  const attempt = ['-i'];
  const { stderr } = await node.exec('setpriv', ['--reuid', '65534', '--clear-groups', 'nft', ...attempt], {
    input: 'create table inet nftlane-lock { flags owner; }\n',
  });
  t.match(stderr, 'Operation not permitted');
  const daemon = single.start();
  await daemon.waitForLog('started');
  t.equal(await daemon.stop(), 0);
});

t.test(
  'a daemon acquires the lock again when its holder is killed, and ends when another one was faster',
  async (t) => {
    const daemon = single.start();
    await daemon.waitForLog('started');
    const first = await holderOf();
    process.kill(first, 'SIGKILL');
    await daemon.waitForLog('locked the network namespace');
    t.not(await holderOf(), first);
    daemon.signal('SIGSTOP');
    process.kill(await holderOf(), 'SIGKILL');
    await released();
    const second = startElsewhere('second');
    await second.waitForLog('started');
    daemon.signal('SIGCONT');
    t.equal(await daemon.exited(), 3);
    t.match(daemon.log.at(-1)?.msg ?? '', `another daemon (process ${second.pid}) runs`);
    t.equal(await second.stop(), 0);
  },
);

t.test('a daemon that was killed while its holder was stopped does not block the next one', async (t) => {
  const daemon = single.start();
  await daemon.waitForLog('started');
  const holder = await holderOf();
  process.kill(holder, 'SIGSTOP');
  daemon.signal('SIGKILL');
  await daemon.exited();
  t.match(await node.output('nft', ['list', 'tables']), TABLE);
  const next = single.start();
  await next.waitForLog('started');
  t.equal(await next.stop(), 0);
  t.equal(await identify(holder), undefined);
});
