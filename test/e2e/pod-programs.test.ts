// Tests that the programs for pods of a real cluster run without any other files.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { killGroup, start } from '../support/netns/process.ts';
import { outputLines } from '../support/netns/program-output.ts';
import { podPrograms } from './kubernetes-cluster.ts';

t.test('the programs of pods start on their own', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-pod-'));
  t.teardown(() => rm(directory, { recursive: true }));
  for (const [name, text] of await podPrograms()) await writeFile(join(directory, name), text);
  const pod = ['POD_NAME=a', 'POD_IPS=127.0.0.1,::1', 'PORT=0'];
  for (const [program, message] of [
    ['responder-pod.ts', 'listening'],
    ['dialer.ts', 'ready'],
  ] as const) {
    const child = start('env', [...pod, process.execPath, join(directory, program)]);
    t.teardown(() => killGroup(child));
    t.match(await outputLines(child, program).next(), { value: message });
  }
});
