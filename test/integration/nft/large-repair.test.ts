// Tests of the repair of large changes by other processes: our own load must not keep us from noticing the next change.

import t from 'tap';
import { loadFactor } from '../../support/load-factor.ts';
import { createLoneNode } from '../../support/netns/lone-node.ts';
import { poll } from '../../support/wait-until.ts';

/** With three endpoints each: ten transactions. */
const SERVICES = 10_000;
const LISTENING = 'listening to kernel notifications of ruleset changes';
const UNREAD = 'a table was changed without a notification; listing the ruleset';
const CHANGED = 'another process changed the ruleset; repairing';

t.setTimeout(240_000);
const node = await createLoneNode({ services: SERVICES, runDirSize: '16m' });
t.teardown(() => node.close());
await node.startApiServer();
const daemon = node.startDaemon();
await daemon.waitForLog(LISTENING, 0, 120_000);

/**
 * Runs nft as another process does, and waits until the daemon has noticed it: by the notification, or by a check that
 * happens to run at that time. Resolves with what was noticed.
 */
async function change(command: string): Promise<string> {
  const from = daemon.log.length;
  t.match(await node.run('nft', [command]), { status: 0 });
  const noticed = () => daemon.log.slice(from).find(({ msg }) => msg === CHANGED || msg === UNREAD);
  const entry = await poll(async () => noticed(), {
    until: (entry) => entry !== undefined,
    failure: () => `The daemon has not noticed: ${command}`,
    timeoutMs: 60_000,
  });
  return String(entry?.['changes'] ?? '');
}

t.test('a flushed ruleset is loaded again, and the next changes are noticed by their notifications', async (t) => {
  for (const [command, changes] of [
    ['flush ruleset', /^$|2 tables/],
    ['delete table ip nftlane', /^$|1 table/],
  ] as const) {
    const from = daemon.log.length;
    t.match(await change(command), changes);
    await daemon.waitForLog(LISTENING, from, 60_000);
  }
  t.match(await change('flush map ip nftlane service-ips'), new RegExp(`^$|^${SERVICES} elements`));
  await untilEqual('a minute', 60_000);
  const faults = daemon.log.filter(({ msg }) => /too many kernel notifications|cannot/.test(String(msg)));
  t.strictSame(faults, [], 'no loss of notifications, and no change of ours taken for one of others');
});

t.test('an element that another process adds while our own repair is loaded is found right after it', async (t) => {
  const from = daemon.log.length;
  await change('flush ruleset');
  const added: string[] = [];
  // The monitor rests while the repair is loaded: some of these changes are not notified.
  for (let port = 1; !daemon.log.slice(from).some(({ msg }) => msg === LISTENING); port++) {
    const key = `172.31.255.9 . tcp . ${port}`;
    const { status } = await node.run('nft', [`add element ip nftlane service-ips { ${key} : drop }`]);
    if (status === 0) added.push(key);
  }
  t.ok(added.length > 0, `${added.length} elements added`);
  await daemon.waitForLog(UNREAD, from, 60_000);
  await untilEqual('20 s, far less than a round of the comparison in the background', 20_000);
});

async function untilEqual(failure: string, timeoutMs: number) {
  await poll(() => node.nftlane('diff'), {
    until: ({ status }) => status === 0,
    failure: ({ stdout }) => `The kernel differs after ${failure}:\n${stdout.slice(0, 2000)}`,
    timeoutMs: timeoutMs * loadFactor(),
  });
}
