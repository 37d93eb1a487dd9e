// Tests that every warning about a state has a message that says that it is over, a test of both, and a line in TROUBLESHOOTING.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { textsIn } from '../support/names/documents.ts';
import { type LogCall, logCalls } from '../support/names/log-calls.ts';
import { LOG_EVENTS, LOG_STATES } from '../support/names/log-states.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CALLS: readonly LogCall[] = [...textsIn('src', '.ts')].flatMap(([path, text]) => logCalls(path, text));

/** The literals in the calls of these levels. */
function messages(...levels: readonly string[]): Set<string> {
  const ofLevels = CALLS.filter(({ level }) => levels.includes(level));
  return new Set(
    ofLevels.flatMap(({ message }) => [...message.matchAll(/'((?:[^'\\]|\\.)+)'/g)].map(([, text = '']) => text)),
  );
}

t.test('every warning and error is classified, as a state or as an event', async (t) => {
  const found = messages('warn', 'error');
  t.ok(found.size > 60, `${found.size} messages`);
  for (const message of found)
    t.not(
      message in LOG_STATES,
      message in LOG_EVENTS,
      `"${message}" is in one list of test/support/names/log-states.ts`,
    );
  for (const message of [...Object.keys(LOG_STATES), ...Object.keys(LOG_EVENTS)])
    t.ok(found.has(message), `"${message}" exists`);
});

t.test('every state has a message that says that it is over, and a test of both', async (t) => {
  const source = [...textsIn('src', '.ts').values()].join('\n');
  const infos = messages('info');
  for (const [message, { over, test }] of Object.entries(LOG_STATES)) {
    // The guard chooses the level of this one.
    const exists = infos.has(over) || (source.includes(`'${over}'`) && !messages('warn', 'error').has(over));
    t.ok(exists, `"${over}" is logged`);
    const path = `${ROOT}test/${test}.test.ts`;
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    t.ok(text.includes(over), `${test} sees "${over}", the end of "${message}"`);
  }
});

t.test('TROUBLESHOOTING lists every state with its end', async (t) => {
  const [, section = ''] = readFileSync(`${ROOT}docs/TROUBLESHOOTING.md`, 'utf8').split(/^## Warnings that end$/m);
  const [table = ''] = section.split(/^## /m);
  const rows = [...table.matchAll(/^\| `([^`]+)` \| `([^`]+)` \|$/gm)].map(([, message, over]) => [message, over]);
  const expected = Object.entries(LOG_STATES).map(([message, { over }]) => [message, over]);
  t.strictSame(rows.sort(), expected.sort());
});
