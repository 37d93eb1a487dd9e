// Tests of src/nftables/client/monitor/nft-monitor.ts.

import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../../src/host/clock.ts';
import {
  type MonitorGap,
  NftMonitor,
  type NftMonitorStatus,
} from '../../../../../src/nftables/client/monitor/nft-monitor.ts';
import {
  markerLines,
  nextMarker,
  type OwnTransactions,
} from '../../../../../src/nftables/client/transaction-marker.ts';
import type { RulesetCommit } from '../../../../../src/nftables/syntax/notification.ts';
import { loadFactor } from '../../../../support/load-factor.ts';
import { poll } from '../../../../support/wait-until.ts';

let generation = 0;
let sent: OwnTransactions = { failures: 0, alone: undefined };

/** The end of the next transaction of the kernel. */
function end(): string {
  return `# new generation ${++generation} by process 7621 (nft)`;
}

interface Setup {
  /** The program; `$EVENTS` is the file of the events so far. */
  readonly script?: string;
  readonly echoMs?: number;
  readonly probeIntervalMs?: number;
  readonly onCommit?: () => void;
}

/** A monitor of a file of events, to which each probe appends a transaction of ours. */
function start(
  t: Test,
  { script = 'exec tail -n 0 -f $EVENTS', echoMs = 20_000, probeIntervalMs = 60_000, onCommit }: Setup = {},
) {
  const directory = t.testdir({});
  const [command, events, starts] = ['nft', 'events', 'starts'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(events, '');
  writeFileSync(starts, '');
  writeFileSync(command, `#!/bin/sh\nEVENTS=${events}\necho "$$ $*" >>${starts}\n${script}\n`, { mode: 0o755 });
  const commits: RulesetCommit[] = [];
  const gaps: MonitorGap[] = [];
  const states: NftMonitorStatus[] = [];
  let resumed = 0;
  const print = (...lines: readonly string[]) => appendFileSync(events, `${lines.join('\n')}\n`);
  const monitor = new NftMonitor({
    command,
    clock: systemClock,
    probe: async () => print(ownMarker(), end()),
    sent: () => sent,
    onCommit: (commit) => {
      commits.push(commit);
      onCommit?.();
    },
    onGap: (gap) => gaps.push(gap),
    onResume: () => resumed++,
    onState: (status) => states.push(status),
    times: { echoMs, probeIntervalMs },
  });
  const stop = new AbortController();
  const running = monitor.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const until = <T>(read: () => T | undefined, failure: string) =>
    poll(async () => read(), { until: (value) => value !== undefined, failure: () => failure, timeoutMs: 60_000 });
  const untilListening = (count = 1) =>
    until(() => states.filter(({ state }) => state === 'listening')[count - 1], `not listening ${count} times`);
  const pids = () => [...readFileSync(starts, 'utf8').matchAll(/^\d+/gm)].map(([pid]) => Number(pid));
  return {
    monitor,
    commits,
    gaps,
    states,
    print,
    resumed: () => resumed,
    until,
    untilListening,
    pids,
    starts: () => readFileSync(starts, 'utf8'),
  };
}

/** The notification of a transaction of this process. */
function ownMarker(): string {
  const marker = nextMarker([]);
  sent = { failures: 0, alone: marker.number };
  const [line = ''] = markerLines(marker, { keep: true });
  return line.replace(/\{ (\d+) \}/, (_, number: string) => `{ 0x${Number(number).toString(16).padStart(8, '0')} }`);
}

t.test('NftMonitor listens when a transaction of ours comes back, and passes on those of others', async (t) => {
  const { monitor, commits, gaps, print, until, untilListening, starts } = start(t);
  await untilListening();
  t.match(starts(), /-t -e list tables; monitor/);
  t.strictSame(gaps, ['start']);
  print('delete chain ip nftlane a', end(), ownMarker(), end());
  await until(() => commits[0], 'no transaction arrived');
  t.match(commits, [{ pid: 7621, notifications: [{ kind: 'chain' }] }]);
  t.match(monitor.status, { state: 'listening', starts: 1 });
});

t.test('NftMonitor reports lost notifications', async (t) => {
  const { gaps, print, until, untilListening } = start(t);
  await untilListening();
  print('# ERROR: We lost some netlink events!');
  await until(() => gaps[1], 'no gap was reported');
  t.strictSame(gaps, ['start', 'overflow']);
});

t.test('NftMonitor restarts a program that was killed', async (t) => {
  const { monitor, gaps, untilListening, pids } = start(t);
  await untilListening();
  process.kill(pids()[0] ?? 0, 'SIGKILL');
  await untilListening(2);
  t.match(monitor.status, { state: 'listening', starts: 2 });
  t.strictSame(gaps, ['start', 'restart'], 'changes between are searched');
});

t.test('NftMonitor starts a program within two seconds, however often it has ended before', async (t) => {
  const { monitor, untilListening, until } = start(t, {
    script: 'test $(wc -l <$(dirname $0)/starts) -gt 6 || exit 1\nexec tail -n 0 -f $EVENTS',
  });
  await until(() => (monitor.status.starts > 5 ? true : undefined), 'no sixth attempt');
  const sixthAt = performance.now();
  await untilListening();
  const took = Math.round(performance.now() - sixthAt);
  t.ok(took <= 2000 * loadFactor(), `listening ${took} ms after the sixth start`);
});

t.test('NftMonitor pauses, and then reports what a start does', async (t) => {
  const { monitor, commits, gaps, states, print, until, untilListening, pids } = start(t);
  await untilListening();
  monitor.pause();
  monitor.pause();
  t.match(monitor.status, { state: 'starting', starts: 1 });
  const [first = 0] = pids();
  await until(() => (existsSync(`/proc/${first}`) ? undefined : true), 'the program has not ended');
  monitor.resume();
  await untilListening(2);
  t.strictSame(gaps, ['start', 'start']);
  t.notOk(states.some(({ state }) => state === 'silent'));
  print('delete chain ip nftlane a', end());
  await until(() => commits[0], 'no transaction arrived');
});

t.test('NftMonitor reports a transaction of another process that was not read during a pause', async (t) => {
  const { monitor, gaps, print, until, untilListening } = start(t);
  await untilListening();
  monitor.pause();
  for (let n = 0; n < 3; n++) print(ownMarker(), end());
  print('delete element ip nftlane a { 1 }', end());
  monitor.resume();
  await until(() => gaps.find((gap) => gap === 'unread'), 'not reported');
  await untilListening(2);
  monitor.pause();
  print(ownMarker(), end());
  monitor.resume();
  await untilListening(3);
  t.strictSame(gaps, ['start', 'unread', 'start', 'start'], 'only transactions of ours during the second pause');
});

t.test('NftMonitor reports changes during a pause that follows lost notifications', async (t) => {
  const { monitor, gaps, print, until, untilListening } = start(t);
  await untilListening();
  print('# ERROR: We lost some netlink events!');
  await until(() => gaps[1], 'no gap was reported');
  monitor.pause();
  print('add element ip nftlane a { 1 }', end());
  monitor.resume();
  await until(() => gaps.find((gap) => gap === 'unread'), 'not reported');
});

t.test('NftMonitor counts what it still reads while it is being paused', async (t) => {
  const monitors: NftMonitor[] = [];
  const { monitor, commits, gaps, print, until, untilListening } = start(t, {
    onCommit: () => monitors[0]?.pause(),
  });
  monitors.push(monitor);
  await untilListening();
  print('delete chain ip nftlane a', end(), ownMarker(), end(), 'add chain ip other a', end());
  await until(() => commits[0], 'no transaction arrived');
  print(ownMarker(), end());
  monitor.resume();
  await untilListening(2);
  t.strictSame(gaps, ['start', 'start'], 'nothing was missed');
});

t.test('NftMonitor can be paused before it has read anything', async (t) => {
  const { monitor, gaps, print, until, untilListening } = start(t);
  monitor.pause();
  monitor.resume();
  await untilListening();
  // On a busy machine, two probes may have been sent before the first one was read: then none of them was alone.
  print(ownMarker(), end());
  await until(() => gaps[1], 'no second gap');
  t.strictSame(
    gaps.toSorted(),
    ['start', 'unread'],
    'there is no number from which to count what the pause has missed',
  );
});

t.test('NftMonitor continues a program that was stopped', async (t) => {
  const { commits, gaps, states, print, resumed, until, untilListening, pids } = start(t);
  await untilListening();
  process.kill(pids()[0] ?? 0, 'SIGSTOP');
  print('delete chain ip nftlane a', end(), ownMarker(), end());
  await until(() => commits[0], 'no transaction arrived');
  t.ok(resumed() > 0);
  t.strictSame(gaps, ['start'], 'nothing was missed');
  t.notOk(states.some(({ state }) => state === 'silent'));
});

t.test('NftMonitor restarts a program that reads and does not print', async (t) => {
  const { states, until, untilListening } = start(t, {
    script: 'test $(wc -l <$(dirname $0)/starts) -gt 1 || exec sleep 1000\nexec tail -n 0 -f $EVENTS',
    echoMs: 1000,
    probeIntervalMs: 100,
  });
  const silent = await until(() => states.find(({ state }) => state === 'silent'), 'not noticed');
  t.match(silent, { reason: 'no notification of a transaction of ours within 1000 ms' });
  await untilListening();
});

t.test('NftMonitor reports a probe that fails while it starts, because the tables may be gone', async (t) => {
  const directory = t.testdir({ nft: '#!/bin/sh\nexec sleep 1000\n' });
  const command = join(directory, 'nft');
  chmodSync(command, 0o755);
  const gaps: MonitorGap[] = [];
  const monitor = new NftMonitor({
    command,
    clock: systemClock,
    probe: () => Promise.reject(new Error('No such file or directory')),
    sent: () => sent,
    onCommit: () => {},
    onGap: (gap) => gaps.push(gap),
    times: { echoMs: 20_000, probeIntervalMs: 60_000 },
  });
  const stop = new AbortController();
  const running = monitor.run(stop.signal);
  await poll(async () => gaps.length, {
    until: (count) => count > 1,
    failure: () => 'not reported',
    timeoutMs: 15_000,
  });
  t.equal(gaps[0], 'refused');
  t.match(monitor.status, { state: 'starting', starts: 1 }, 'before the monitor is given up');
  stop.abort();
  await running;
});

t.test('NftMonitor says why a program cannot be used, and tries again', async (t) => {
  const { monitor, until } = start(t, { script: 'echo "W: a warning" >&2; echo "no rights" >&2; exit 3' });
  await until(() => (monitor.status.starts > 1 ? true : undefined), 'no second attempt');
  t.match(monitor.status.reason, /^(status 3: no rights)?$/);
  const missing = new NftMonitor({
    command: '/nonexistent/nft',
    clock: systemClock,
    probe: async () => {},
    sent: () => sent,
    onCommit: () => {},
    onGap: () => {},
  });
  const stop = new AbortController();
  const running = missing.run(stop.signal);
  await until(() => (missing.status.state === 'silent' ? true : undefined), 'a missing program was not reported');
  t.match(missing.status.reason, /ENOENT/);
  stop.abort();
  await running;
  t.match(missing.status, { state: 'off' });
});
