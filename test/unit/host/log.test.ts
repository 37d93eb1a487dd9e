// Tests of src/host/log.ts, in a process of its own because it writes to standard error.

import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LOG_LEVELS } from '../../../src/host/log-level.ts';
import { exec } from '../../../src/host/process/exec.ts';
import { silentLog } from '../../support/fakes/silent-log.ts';

const PROGRAM = fileURLToPath(new URL('../../support/fakes/log-process.ts', import.meta.url));

async function logged(level: string, format: string): Promise<string[]> {
  const { stderr } = await exec(process.execPath, [PROGRAM, level, format], { timeoutMs: 30_000 });
  return stderr.trimEnd().split('\n');
}

t.test('createLog() writes JSON with level, time, message and fields', async (t) => {
  for (const format of ['json', 'auto']) {
    const lines = (await logged('debug', format)).map((line) => JSON.parse(line));
    t.match(lines, [
      { level: 'debug', time: /^\d{4}-\d\d-\d\dT.*Z$/, msg: 'first' },
      { level: 'info', msg: 'second', count: 2 },
      { level: 'error', msg: 'fourth', reason: 'last' },
    ]);
    t.equal(lines.length, 3, 'setLevel() hides the third line');
  }
});

t.test('createLog() hides lines below its level', async (t) => {
  const messages = (await logged('info', 'json')).map((line) => JSON.parse(line).msg);
  t.strictSame(messages, ['second', 'fourth']);
});

t.test('createLog() writes text', async (t) => {
  const [first, second] = await logged('info', 'text');
  t.match(first, /INFO.*second.*"count":2/);
  t.match(second, /ERROR.*fourth/);
});

t.test('silentLog has every level', async (t) => {
  for (const level of LOG_LEVELS) t.equal(silentLog[level]('message'), undefined);
});
