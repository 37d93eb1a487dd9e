// Tests of src/admin/accept-loss.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ACCEPT_LOSS_PATH, acceptLoss } from '../../../src/admin/accept-loss.ts';
import { fetchState, sendCommand } from '../../../src/admin/fetch-state.ts';
import { StateServer, type StateServerOptions } from '../../../src/admin/state-server.ts';

async function serve(t: Test, commands: NonNullable<StateServerOptions['commands']>): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-accept-'));
  const server = new StateServer({ state: () => ({ status: {}, objects: [] }), commands });
  await new Promise<void>((resolve) => server.server.listen(join(directory, 's'), resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return join(directory, 's');
}

t.test('acceptLoss() runs the command of the daemon and returns the number of Services', async (t) => {
  let calls = 0;
  const path = await serve(t, {
    [ACCEPT_LOSS_PATH]: () => {
      calls += 1;
      return { services: 35 };
    },
  });
  await fetchState(path);
  t.equal(calls, 0, 'reading the state changes nothing');
  t.equal(await acceptLoss(path), 35);
  t.equal(calls, 1);
  t.strictSame(await sendCommand(path, '/other'), { message: 'no such command: /other' });
});

t.test('acceptLoss() rejects without a daemon, and with one that does not know the command', async (t) => {
  await t.rejects(acceptLoss('/nowhere/s'), { name: 'AdminSocketError', noState: 'absent' });
  const message = /^Cannot accept the loss: the daemon at ".*" is of another version$/;
  await t.rejects(acceptLoss(await serve(t, {})), { name: 'AdminSocketError', message });
});
