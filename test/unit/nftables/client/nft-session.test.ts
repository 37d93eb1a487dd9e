// Tests of src/nftables/client/nft-session.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { NftSession } from '../../../../src/nftables/client/nft-session.ts';
import { markerLines, nextMarker } from '../../../../src/nftables/client/transaction-marker.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A session with a fake nft program, closed at the end of the test. */
function openSession(t: Test, options: { readonly command?: string; readonly maxInputCharacters?: number } = {}) {
  const fake = fakeNftProgram(t);
  let exits = 0;
  const session = new NftSession({ command: fake.command, onExit: () => void exits++, ...options });
  t.teardown(() => session.close());
  const apply = (line: string, timeoutMs = 30_000) => {
    const marker = nextMarker([line]);
    return session.apply({ lines: [line, ...markerLines(marker, { keep: false })], marker, timeoutMs });
  };
  return { session, apply, input: fake.input, exits: () => exits };
}

t.test('NftSession applies transactions through one process, and tells when the kernel shows them', async (t) => {
  const { session, apply, input, exits } = openSession(t);
  t.strictSame([session.pid, session.startCount], [undefined, 0], 'started on demand');
  t.equal(await apply('add table ip a'), 'confirmed');
  const { pid } = session;
  t.equal(await apply('add b'), 'confirmed');
  t.equal(await apply('pretend c'), 'silent');
  t.equal(input(), 'add table ip a\nadd b\npretend c\n');
  t.ok(pid);
  t.strictSame([session.pid, session.startCount, exits()], [pid, 1, 0]);
});

t.test('NftSession survives a refusal', async (t) => {
  const { session, apply } = openSession(t);
  await t.rejects(apply('refuse'), {
    name: 'NftRefusal',
    message: 'Cannot apply the ruleset: Could not process rule: File exists',
    messages: [{ line: 1, message: 'Could not process rule: File exists' }],
  });
  await apply('add');
  t.equal(session.startCount, 1);
});

t.test('NftSession starts another process when its process died', async (t) => {
  const { session, apply, exits } = openSession(t);
  await t.rejects(apply('die'), {
    name: 'NftOutcomeUnknown',
    message: 'Cannot run the nft session: status 3 dying',
  });
  t.equal(session.pid, undefined);
  t.equal(exits(), 1);
  await apply('add');
  t.equal(session.startCount, 2);
  process.kill(session.pid ?? 0, 'SIGKILL');
  await waitUntil('the session notices that it was killed', () => exits() === 2);
  t.equal(session.pid, undefined);
});

t.test('NftSession kills an nft that does not respond', async (t) => {
  const { session, apply } = openSession(t);
  await t.rejects(apply('hang', 50), {
    name: 'NftOutcomeUnknown',
    message: 'Cannot run the nft session: no answer within 50 ms',
  });
  t.equal(await apply('add'), 'confirmed');
  process.kill(session.pid ?? 0, 'SIGSTOP');
  await t.rejects(apply('add', 50), { name: 'NftOutcomeUnknown' });
  t.equal(await apply('add'), 'confirmed');
});

t.test('NftSession continues an nft that was stopped', async (t) => {
  const { session, apply, exits } = openSession(t);
  t.equal(await apply('add'), 'confirmed');
  process.kill(session.pid ?? 0, 'SIGSTOP');
  t.equal(await apply('add', 30_000), 'confirmed');
  t.equal(exits(), 0);
});

t.test('NftSession ends an nft that prints without end', async (t) => {
  const command = join(t.testdirName, 'endless');
  const { apply } = openSession(t, { command });
  writeFileSync(command, '#!/bin/sh\nexec yes "Error: boo" >&2\n', { mode: 0o755 });
  await t.rejects(apply('add'), {
    name: 'NftOutcomeUnknown',
    message: 'Cannot run the nft session: it printed too many errors',
  });
});

t.test('NftSession is worn out when it has read much', async (t) => {
  const { session, apply } = openSession(t, { maxInputCharacters: 1000 });
  const comment = 'x'.repeat(250);
  for (const isWornOut of [false, false, false]) {
    t.equal(session.isWornOut, isWornOut);
    await apply(`add ${comment}`);
  }
  t.equal(session.isWornOut, true);
  await session.close();
  t.equal(session.isWornOut, false);
  await apply('add');
  t.strictSame([session.isWornOut, session.startCount], [false, 2]);
});

t.test('NftSession.close() ends the process', async (t) => {
  const { session, apply, exits } = openSession(t);
  await session.close();
  await apply('add');
  await session.close();
  t.strictSame([session.pid, exits()], [undefined, 0]);
});
