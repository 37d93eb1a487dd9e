// Tests of src/daemon/reload.ts.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Settings } from '../../../src/config/settings.ts';
import { watchAndReload } from '../../../src/daemon/reload.ts';
import { configurationOf, configurationText, settingsOf } from '../../support/builders/configuration.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Watches a file with `fields`; `change` writes others and waits for the log. */
async function watching(t: Test, fields: string) {
  const file = join(t.testdir(), 'config.conf');
  await writeFile(file, configurationText(fields));
  let text = configurationText(fields);
  const { log, lines } = recordLog();
  const applied: Settings[] = [];
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  let restarts = 0;
  watchAndReload({
    settings: { ...settingsOf(text), configFile: file },
    reload: async () => ({ settings: { ...settingsOf(text), configFile: file }, configuration: configurationOf(text) }),
    log,
    apply: async (settings) => void applied.push(settings),
    restart: () => {
      restarts += 1;
    },
    signal: stop.signal,
  });
  // The watch reads the file as it begins; what is written later is a change.
  await readFile(file);
  await readFile(file);
  const change = async (next: string): Promise<void> => {
    const before = lines.length;
    text = configurationText(next);
    await writeFile(file, text);
    await waitUntil('log', () => lines.length > before);
  };
  return { file, lines, applied, change, restarts: () => restarts };
}

t.test('watchAndReload() applies, rejects and restarts', async (t) => {
  const { file, lines, applied, change, restarts } = await watching(t, 'clusterCIDR: 10.0.0.0/8');
  await change('clusterCIDR: 10.0.0.0/9');
  const fields = ['KubeProxyConfiguration.clusterCIDR'];
  t.match(lines.at(-1), {
    level: 'info',
    message: 'configuration changed',
    details: { file, fields, effect: 'applied' },
  });
  t.match(applied, [{ proxy: { detectLocal: { cidrs: [{ text: '10.0.0.0/9' }] } } }]);

  await change('clusterCIDR: nonsense');
  t.match(lines.at(-1), {
    level: 'error',
    message: 'changed configuration is invalid; keeping the previous one',
    details: { file, reason: /clusterCIDR: "nonsense" is not a CIDR block/ },
  });

  await change('clusterCIDR: 10.0.0.0/9\nportRange: 1-2');
  t.match(lines.at(-1), {
    message: 'configuration changed',
    details: { fields: ['KubeProxyConfiguration.portRange'], effect: 'none' },
  });
  t.equal(applied.length, 1, 'a field without effect');
  t.equal(restarts(), 0);

  await change('clusterCIDR: 10.0.0.0/9\noomScoreAdj: 1');
  t.match(lines.at(-1), { message: 'configuration changed; exiting to restart' });
  t.equal(restarts(), 1);
});

t.test('watchAndReload() does nothing without a file', async (t) => {
  const { log, lines } = recordLog();
  const unused = () => {
    throw new Error('unused');
  };
  const settings = { ...settingsOf(undefined), configFile: undefined };
  const { signal } = new AbortController();
  watchAndReload({ settings, reload: unused, log, apply: unused, restart: unused, signal });
  t.strictSame(lines, []);
});
