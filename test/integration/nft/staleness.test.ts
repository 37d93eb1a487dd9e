// Tests of what commands say when the API server is unreachable, or the daemon is dead, stopped or besieged.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loadFactor } from '../../support/load-factor.ts';
import { createLoneNode } from '../../support/netns/lone-node.ts';
import type { ExecResult } from '../../support/netns/process.ts';
import { poll } from '../../support/wait-until.ts';

const PATIENCE_MS = 10_000;
/** An answer of the kernel and the state file, on a quiet machine. */
const ANSWER_MS = 1_000;
const FLOW = ['10.1.1.5', '10.96.0.2:80'] as const;
const GET = 'fetch(process.argv[1]).then(async (response) => console.log(response.status, await response.text()))';
const COMMANDS = [
  ['inspect', 'services'],
  ['inspect', 'ruleset'],
  ['inspect', 'fastpath'],
  ['explain', ...FLOW],
  ['diff'],
  ['doctor'],
] as const;

t.setTimeout(300_000);
const node = await createLoneNode({ services: 20, runDirSize: '256k' });
t.teardown(() => node.close());
await node.startApiServer();
const daemon = node.startDaemon();
await daemon.waitUntilReady();

const firstLine = ({ stdout }: ExecResult): string => stdout.split('\n', 1)[0] ?? '';

/** Runs a command until its first line matches. */
function until(pattern: RegExp, ...command: readonly string[]): Promise<ExecResult> {
  return poll(() => node.nftlane(...command), {
    until: (result) => pattern.test(firstLine(result)),
    failure: ({ stdout, stderr }) => `${pattern}\n${stdout.slice(0, 500)}${stderr}`,
    timeoutMs: PATIENCE_MS * loadFactor(),
  });
}

/** The milliseconds from the start of the command to its exit. */
async function timed(...command: readonly string[]): Promise<ExecResult & { readonly ms: number }> {
  const startedAt = performance.now();
  const result = await node.nftlane(...command);
  return { ...result, ms: performance.now() - startedAt };
}

async function stateFile(): Promise<string> {
  const { stdout } = await node.run('sh', ['-c', `ls ${node.runDir}; sha256sum ${node.runDir}/*.state.gz`]);
  return stdout;
}

/** Waits until a state file exists that differs from `before`. */
function waitForStateFile(before = ''): Promise<string> {
  return poll(stateFile, {
    until: (text) => text.includes('state.gz\n') && text !== before,
    failure: (text) => `no new state file: ${text}`,
    timeoutMs: PATIENCE_MS * loadFactor(),
  });
}

async function doctorProblems(): Promise<{ status: number; problems: Record<string, string> }> {
  const { status, stdout } = await node.nftlane('doctor', '-o', 'json');
  const { checks }: { checks: { name: string; status: string; message: string }[] } = JSON.parse(stdout);
  const problems = checks.filter((check) => check.status === 'problem');
  return { status, problems: Object.fromEntries(problems.map(({ name, message }) => [name, message])) };
}

t.test('the first line says what the answer is based on', async (t) => {
  const line = /^# node n1; API server https:\S+, last contact \d+s ago; last sync \d+s ago$/;
  for (const command of COMMANDS) t.match(firstLine(await node.nftlane(...command)), line, command.join(' '));
  for (const command of COMMANDS.slice(2)) {
    const { status } = JSON.parse((await node.nftlane(...command, '-o', 'json')).stdout);
    t.match(status, { node: 'n1', daemon: 'running', answersFrom: 'daemon', problems: [] }, command.join(' '));
  }
  const { stdout } = await node.nftlane('inspect', 'ruleset');
  t.match(stdout, /^#.*\ntable ip nftlane/, 'still the input of nft');
});

t.test('a full run directory keeps the old state file, and delays nothing', async (t) => {
  const before = await waitForStateFile();
  await node.run('sh', ['-c', `head -c 1000000 /dev/zero > ${node.runDir}/fill`]);
  await node.requestChange('add 1 7');
  const expected = /10\.96\.0\.2 \. tcp \. 80 .* : goto cluster-7/;
  await poll(() => node.run('nft', ['list', 'map', 'ip', 'nftlane', 'service-ips']), {
    until: ({ stdout }) => expected.test(stdout),
    failure: ({ stdout }) => stdout,
    timeoutMs: PATIENCE_MS * loadFactor(),
  });
  const entry = await daemon.waitForLog('cannot write state files; without the daemon, commands know only the kernel');
  t.match(entry, { level: 'warn', reason: /no space left on device/i });
  t.equal((await stateFile()).split('\n').at(-2), before.split('\n').at(-2), 'the old file is intact');
  await node.run('rm', [`${node.runDir}/fill`]);
  await daemon.waitForLog('state files are written again');
  await waitForStateFile(before);
});

t.test('an unreachable API server comes first, and doctor fails', async (t) => {
  node.signalApiServer('SIGKILL');
  const unreachable = /; PROBLEM: API server unreachable for \d+s: /;
  for (const command of COMMANDS)
    t.equal((await until(unreachable, ...command)).status, command[0] === 'doctor' ? 1 : 0);
  const { status, problems } = await doctorProblems();
  t.equal(status, 1);
  t.strictSame(Object.keys(problems), ['source']);
  t.match(problems['source'], /^API server unreachable for \d+s: connect/);
  t.match((await node.nftlane('explain', ...FLOW)).stdout, /^FORWARDED: /m, 'the answer itself does not change');
  const get = async (url: string) => (await node.run(process.execPath, ['-e', GET, url])).stdout;
  t.match(
    await get('http://127.0.0.1:10256/livez'),
    /^200 .*"healthy":true.*"stale":"API server unreachable for \d+s"/,
  );
  t.match(
    await get('http://127.0.0.1:10249/statusz'),
    /\nLast contact: \d+s ago\n(?:.*\n)*Problem: API server unreach/,
  );
});

t.test('readers that do not read cost little memory, and keep no command waiting', async (t) => {
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))?.[1]);
  const before = rss();
  // The run directory is a mount of another namespace.
  const names = await node.run('sh', ['-c', `cd ${node.runDir} && ls *.sock`]);
  const path = join(`/proc/${node.pid}/root`, node.runDir, names.stdout.trim());
  const connected = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = connect(path).pause();
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      socket.on('error', () => {});
      socket.write('GET /state HTTP/1.1\r\nhost: x\r\n\r\n');
      return true;
    }),
  );
  t.equal(connected.length, 100);
  for (let count = 0; count < 3; count++) t.equal((await node.nftlane('inspect', 'services')).status, 0);
  t.ok(rss() <= 2 * before, `${rss()} kB, ${before} kB before`);
});

t.test('a stopped daemon comes first, within a second', async (t) => {
  process.kill(node.pid, 'SIGSTOP');
  const stopped = new RegExp(
    `; PROBLEM: daemon does not answer \\(process ${node.pid} is stopped\\), last seen \\d+s ago; `,
  );
  for (const command of [
    ['inspect', 'services'],
    ['explain', ...FLOW],
  ] as const) {
    const { status, stdout, stderr, ms } = await timed(...command);
    t.equal(status, 0, stderr);
    t.match(stdout.split('\n', 1)[0], stopped);
    t.match(stdout, /objects are those of (?:\d+s ago|the last sync), from the state file\n/);
    t.ok(ms <= ANSWER_MS * loadFactor(), `${command[0]}: ${Math.round(ms)} ms`);
  }
  t.match(
    await node.nftlane('diff'),
    { status: 3, stdout: /^# .*daemon does not answer.*\n$/ },
    'equal, but to an old state',
  );
  const { status, problems } = await doctorProblems();
  t.equal(status, 1);
  t.match(problems['daemon'], /^daemon does not answer \(process \d+ is stopped\)/);
  process.kill(node.pid, 'SIGCONT');
  await until(/^# node n1; .* ago; PROBLEM: API server unreachable/, 'inspect', 'services');
  await daemon.waitUntilReady();
});

t.test('a dead daemon comes first, and another one without objects knows those of the dead', async (t) => {
  await daemon.kill();
  const { status, stdout, ms } = await timed('explain', ...FLOW);
  t.equal(status, 0);
  t.match(
    stdout,
    /^# node n1; API server .*; PROBLEM: daemon not running, last seen \d+s ago; before that: API server unre/,
  );
  t.match(stdout, /^FORWARDED: /m);
  t.ok(ms <= ANSWER_MS * loadFactor(), `${Math.round(ms)} ms`);
  t.equal((await node.nftlane('diff')).status, 3);
  const { status: doctorStatus, problems } = await doctorProblems();
  t.equal(doctorStatus, 1);
  t.match(problems['daemon'], /^no daemon answers at .*: daemon not running, last seen \d+s ago: the rules/);
  const next = node.startDaemon();
  await next.waitForLog('API request failed');
  t.match(await until(/; PROBLEM: API server unreachable .* from the state file$/, 'inspect', 'services'), {
    status: 0,
  });
  t.equal((await node.nftlane('diff')).status, 3);
  await next.stop();
  t.match(firstLine(await node.nftlane('inspect', 'services')), /PROBLEM: daemon was stopped \d+s ago/);
  await node.nftlane('cleanup');
  t.match(await node.nftlane('inspect', 'services'), {
    status: 3,
    stderr: /is nftlane running in this network namespace/,
  });
});
