// Tests of src/nftables/client/nft-session.ts.

import t, { type Test } from 'tap';
import { NftSession } from '../../../../src/nftables/client/nft-session.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';

/** A session with a fake nft program, closed at the end of the test. */
function openSession(t: Test) {
  const { command, input } = fakeNftProgram(t);
  const session = new NftSession({ command, timeoutMs: 10_000 });
  t.teardown(() => session.close());
  return { session, input };
}

t.test('NftSession applies transactions through one process', async (t) => {
  const { session, input } = openSession(t);
  t.strictSame([session.pid, session.startCount], [undefined, 0], 'started on demand');
  await session.apply('add table ip a\n');
  const { pid } = session;
  await session.apply('add b\n');
  t.equal(input(), 'add table ip a\nadd b\n', 'each transaction is in the file alone');
  t.ok(pid);
  t.strictSame([session.pid, session.startCount], [pid, 1]);
});

t.test('NftSession survives a refusal', async (t) => {
  const { session } = openSession(t);
  await t.rejects(session.apply('refuse\n'), {
    name: 'NftRefusal',
    message: 'Cannot apply the ruleset: Could not process rule: File exists',
    messages: [{ line: 1, message: 'Could not process rule: File exists' }],
  });
  await session.apply('add\n');
  t.equal(session.startCount, 1);
});

t.test('NftSession starts another process when its process died', async (t) => {
  const { session } = openSession(t);
  await t.rejects(session.apply('die\n'), {
    name: 'NftOutcomeUnknown',
    message: 'Cannot run the nft session: status 3 dying',
  });
  t.equal(session.pid, undefined);
  await session.apply('add\n');
  t.equal(session.startCount, 2);
});

t.test('NftSession kills an nft that does not respond', async (t) => {
  const session = new NftSession({ command: 'cat', timeoutMs: 50 });
  await t.rejects(session.apply('add\n'), { name: 'NftOutcomeUnknown' });
});
