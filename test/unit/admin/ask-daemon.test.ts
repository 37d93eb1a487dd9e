// Tests of src/admin/ask-daemon.ts.

import t from 'tap';
import { askDaemon, type DaemonAnswer, knownState } from '../../../src/admin/ask-daemon.ts';
import { printStatus } from '../../../src/admin/command-status.ts';
import { AdminSocketError } from '../../../src/admin/fetch-state.ts';
import { engineState } from '../../../src/admin/state/daemon-state.ts';
import { stampNow } from '../../../src/admin/state-file/stamp.ts';
import type { SavedState, StatusFile } from '../../../src/admin/state-file/state-files.ts';
import { daemonStatus } from '../../support/builders/daemon-status.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';

const error = new AdminSocketError('no answer within 0.5 s', { noState: 'silent' });

function stampOf(ageMs: number) {
  const now = stampNow();
  return { ...now, monotonicMs: now.monotonicMs - ageMs };
}

function saved(ageMs: number): SavedState {
  const program = { version: '1', pid: 7, source: 'test', status: daemonStatus() };
  return { stamp: stampOf(ageMs), ...program, ...engineState(engineOf([service()])) };
}

function statusFile(ageMs: number, rest: Partial<StatusFile> = {}): StatusFile {
  return { stamp: stampOf(ageMs), status: daemonStatus(), isStopped: false, ...rest };
}

function lineOf(answer: DaemonAnswer): string {
  return printStatus(knownState(answer).status);
}

t.test('askDaemon() reports that no daemon runs', async (t) => {
  const answer = await askDaemon('/nowhere');
  t.equal(answer.daemon, 'not-running');
  t.match(lineOf(answer), /^# unknown node; PROBLEM: daemon not running: Cannot read/);
  t.equal(knownState(answer).state, undefined);
});

t.test('knownState() of a dead daemon has the ages of its files, and those before its death', async (t) => {
  const newer = daemonStatus({ sync: { commits: 2, syncedMs: 12_000 } });
  const remains = { status: statusFile(720_500, { status: newer }), state: saved(780_500) };
  const answer = { daemon: 'not-running', error, remains } as const;
  t.equal(
    lineOf(answer),
    '# node n1; test, last contact 12m ago; last sync 12m ago; PROBLEM: daemon not running, last seen 12m ago; objects are those of 13m ago, from the state file',
  );
  const { state, status } = knownState(answer);
  t.equal(state?.objects.Service.length, 1);
  t.match(status, {
    answersFrom: 'state-file',
    daemon: 'not-running',
  });
  const { stateFileSeconds = 0, daemonSeenSeconds = 0 } = status;
  t.ok(stateFileSeconds >= 780 && stateFileSeconds < 840, `${stateFileSeconds} s`);
  t.ok(daemonSeenSeconds >= 720 && daemonSeenSeconds < 780, `${daemonSeenSeconds} s`);
});

t.test('knownState() says that the state file has the objects of the last sync', async (t) => {
  const remains = { status: statusFile(720_500), state: saved(780_500) };
  t.match(
    lineOf({ daemon: 'not-running', error, remains }),
    /; objects are those of the last sync, from the state file$/,
  );
});

t.test('knownState() says how a daemon ended or what it does', async (t) => {
  const stopped = {
    daemon: 'not-running',
    error,
    remains: { status: statusFile(60_500, { isStopped: true }) },
  } as const;
  t.match(lineOf(stopped), /PROBLEM: daemon was stopped 1m ago$/);
  const pid = process.pid;
  const hung = { status: statusFile(5_500, { status: daemonStatus({ pid }) }) };
  const known = new RegExp(`PROBLEM: daemon does not answer \\(process ${pid} is (?:busy|idle)\\), last seen 5s ago$`);
  t.match(lineOf({ daemon: 'not-answering', error, remains: hung }), known);
  const unknown = { status: statusFile(5_500, { status: daemonStatus({ pid: 2 ** 22 + 1 }) }) };
  t.match(
    lineOf({ daemon: 'not-answering', error, remains: unknown }),
    /\(no answer within 0\.5 s\), last seen 5s ago$/,
  );
  const problems = [{ cause: 'unreachable', subject: 'API server', forMs: 60_000 }] as const;
  const before = statusFile(0, { status: daemonStatus({ source: { name: 'test', resources: [], problems } }) });
  t.match(
    lineOf({ daemon: 'not-running', error, remains: { status: before } }),
    /; before that: API server unreachable for 1m$/,
  );
});

t.test('knownState() of a daemon that waits for its objects has those of the daemon before it', async (t) => {
  const state = { version: '1', pid: 8, source: 'test', status: daemonStatus(), ...engineState(engineOf([])) };
  const starting = { daemon: 'running', state: { ...state, ready: false }, remains: { state: saved(60_500) } } as const;
  t.equal(knownState(starting).state?.objects.Service.length, 1);
  t.match(lineOf(starting), /objects are those of 1m ago, from the state file$/);
  t.equal(knownState({ ...starting, remains: {} }).state, undefined);
  t.equal(knownState({ ...starting, state }).state?.objects.Service.length, 0);
});
