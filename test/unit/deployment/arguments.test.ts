// Tests that the manifests use existing flags and valid configurations.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from '../../../src/cli/program.ts';
import { configOf, OVERLAYS, podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import { documents } from '../../support/deployment/kustomize.ts';

for (const overlay of OVERLAYS) {
  t.test(`${overlay}: arguments are flags of run, and the configuration file is mounted`, async (t) => {
    const help = await helpOfRun();
    const { initContainers, containers } = podOf(renderOverlay(overlay));
    for (const { args, volumeMounts } of [...initContainers, ...containers]) {
      const [command, ...flags] = args;
      t.equal(command, 'run');
      for (const flag of flags) t.match(help, new RegExp(`^ +(?:-\\w, )?${flag.replace(/=.*/, '')}\\b`, 'm'), flag);
      const file = flags.find((flag) => flag.startsWith('--config='))?.slice('--config='.length) ?? '';
      t.ok(
        volumeMounts.some(({ mountPath }) => file.startsWith(`${mountPath}/`)),
        file,
      );
    }
  });
}

t.test('the configurations are valid and complete', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-arguments-'));
  t.teardown(() => rm(directory, { recursive: true }));
  for (const overlay of OVERLAYS) {
    const [file, written] = [join(directory, `${overlay}.yaml`), join(directory, `${overlay}-written.yaml`)];
    const given = configOf(renderOverlay(overlay))['config.yaml'] ?? '';
    await writeFile(file, given);
    const flags = ['--config', file, '--node-name', 'n1', '--write-config-to', written];
    t.equal(await runCli(['run', ...flags], new AbortController().signal), 0, overlay);
    // All fields are in the effective configuration: none was ignored.
    const effective = documents(await readFile(written, 'utf8'));
    for (const document of documents(given)) {
      t.match(
        effective.find(({ kind }) => kind === document['kind']),
        document,
        `${overlay} ${document['kind']}`,
      );
    }
  }
});

async function helpOfRun(): Promise<string> {
  const write = process.stdout.write;
  let text = '';
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += chunk;
    return true;
  };
  try {
    await runCli(['run', '--help'], new AbortController().signal);
  } finally {
    process.stdout.write = write;
  }
  return text;
}
