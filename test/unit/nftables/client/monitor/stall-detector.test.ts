// Tests of src/nftables/client/monitor/stall-detector.ts.

import t from 'tap';
import type { NetlinkReader } from '../../../../../src/host/process/process-state.ts';
import { untilStalled } from '../../../../../src/nftables/client/monitor/stall-detector.ts';

interface Look extends Partial<NetlinkReader> {
  /** The lines that the process has printed since the last look. */
  readonly lines?: number;
}

/** Takes these looks at a process, the last of them again and again, up to 100. Returns how many there were. */
async function lookAt(...looks: readonly Look[]) {
  const stop = new AbortController();
  let [count, printed, resumed] = [0, 0, 0];
  const look = () => looks[Math.min(count, looks.length) - 1] ?? {};
  const reason = await untilStalled(
    {
      pid: 1,
      printedLines: () => printed,
      resume: () => resumed++,
      clock: {
        sleep: async () => {
          count++;
          printed += look().lines ?? 0;
          if (count === 100) stop.abort();
        },
      },
      read: () => ({ state: 'sleeping', queuedBytes: 0, ...look() }),
    },
    stop.signal,
  );
  return { reason, count, resumed };
}

t.test('untilStalled() leaves a process alone that has nothing to read, or that prints', async (t) => {
  t.match(await lookAt({}), { reason: '', count: 100, resumed: 0 });
  t.match(await lookAt({ queuedBytes: 3000, lines: 1 }), { reason: '' });
  t.match(await lookAt({ state: 'waiting' }), { reason: '' });
  t.match(
    await lookAt({}, { queuedBytes: 3000 }, { queuedBytes: 3000 }, {}),
    { reason: '' },
    'notifications that arrived a moment ago',
  );
});

t.test('untilStalled() finds a process that sleeps although there are notifications', async (t) => {
  t.match(await lookAt({}, { queuedBytes: 3000 }), { reason: 'it does not read the notifications', count: 4 });
});

t.test('untilStalled() allows a process without a CPU ten times as much time', async (t) => {
  const { reason, count } = await lookAt({}, { state: 'waiting', queuedBytes: 3000 });
  t.equal(reason, 'it does not read the notifications');
  t.equal(count, 41);
  t.match(await lookAt(...Array<Look>(30).fill({ state: 'waiting', queuedBytes: 3000 }), { lines: 1 }), { reason: '' });
});

t.test('untilStalled() continues a stopped process, and gives up one that does not continue', async (t) => {
  t.match(await lookAt({}, { state: 'stopped', queuedBytes: 3000 }, { lines: 2 }), { reason: '', resumed: 1 });
  t.match(await lookAt({}, { state: 'stopped' }), { reason: /stopped/, count: 7, resumed: 6 });
});

t.test('untilStalled() waits for the end of a process that could not be started', async (t) => {
  const stop = new AbortController();
  const clock = { sleep: async () => stop.abort() };
  const options = { pid: undefined, printedLines: () => 0, resume: () => t.fail('there is no process'), clock };
  t.equal(await untilStalled(options, stop.signal), '');
});
