// Tests of src/fastpath/node/attachments.ts.

import t from 'tap';
import type { Attachment } from '../../../../src/fastpath/loader/loader-client.ts';
import { Attachments } from '../../../../src/fastpath/node/attachments.ts';

/** Attachments over a loader that records its calls, with these programs attached. */
function attachmentsOf(installed: readonly Attachment[]) {
  const calls: string[] = [];
  const attachments = new Attachments({
    listAttachments: async () => {
      calls.push('list');
      return [...installed];
    },
    attach: async (role, ifindex) => void calls.push(`attach ${role} ${ifindex}`),
    detach: async (role, ifindex) => void calls.push(`detach ${role} ${ifindex}`),
  });
  return { attachments, calls };
}

t.test('adopt() reads attached programs and detaches those of deleted devices', async (t) => {
  const { attachments, calls } = attachmentsOf([
    { role: 'uplink', ifindex: 2, isGone: false },
    { role: 'pod', ifindex: 7, isGone: true },
  ]);
  await attachments.adopt(0);
  t.strictSame(calls, ['list', 'detach pod 7']);
  t.strictSame(attachments.attached, { pod: new Set(), uplink: new Set([2]) });
});

t.test('refresh() reads attached programs again after ten seconds', async (t) => {
  const { attachments, calls } = attachmentsOf([]);
  for (const now of [0, 9999, 10_000, 10_001]) await attachments.refresh(now);
  t.equal(calls.length, 2);
});

t.test('attach() and detach() keep the order and track what is attached', async (t) => {
  const { attachments, calls } = attachmentsOf([]);
  await attachments.attach([
    { role: 'pod', ifindex: 7 },
    { role: 'uplink', ifindex: 2 },
  ]);
  t.strictSame(attachments.attached, { pod: new Set([7]), uplink: new Set([2]) });
  await attachments.detach([{ role: 'pod', ifindex: 7 }]);
  t.strictSame(attachments.attached, { pod: new Set(), uplink: new Set([2]) });
  t.strictSame(calls, ['attach pod 7', 'attach uplink 2', 'detach pod 7']);
});
