// The documents name commands, flags, labels and directories that there are.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { PROXY_FLAGS, RUN_FLAGS } from '../../../src/cli/flags/flag-table.ts';
import { runCli } from '../../../src/cli/program.ts';
import { podOf, renderOverlay } from '../../support/deployment/deployment.ts';

const TOP = fileURLToPath(new URL('../../../', import.meta.url));
const PAPERS = [...readdirSync(join(TOP, 'docs')).map((name) => join('docs', name)), 'README.md', 'README.ko.md'];
const TEXTS = new Map(
  PAPERS.filter((path) => path.endsWith('.md')).map((path) => {
    const text = readFileSync(join(TOP, path), 'utf8');
    return [path, text.replaceAll(/\\\n */g, '')] as const;
  }),
);

/** Matches of a pattern in all documents, with where they are. */
function found(pattern: RegExp): [path: string, groups: string[]][] {
  return [...TEXTS].flatMap(([path, text]) =>
    [...text.matchAll(pattern)].map(([, ...groups]): [string, string[]] => [path, groups.map((group) => group ?? '')]),
  );
}

async function helpOf(t: Test, command: readonly string[]): Promise<string> {
  const written = t.capture(process.stdout, 'write', () => true);
  await runCli([...command, '--help'], new AbortController().signal);
  const text = written()
    .map(({ args }) => String(args[0]))
    .join('');
  written.restore();
  return text;
}

t.test('commands of nftlane and their flags', async (t) => {
  const helps = new Map<string, string>();
  const hidden = new Set([...PROXY_FLAGS, ...RUN_FLAGS].map(({ name }) => `--${name}`));
  const commands = found(/(?:^|[\s`])nftlane (run|render|diff|explain|doctor|cleanup|inspect(?: \w+)?)\b([^`|#\n]*)/gm);
  t.ok(commands.length > 20, `${commands.length} commands`);
  for (const [path, [command = '', rest = '']] of commands) {
    const help = helps.get(command) ?? (await helpOf(t, command.split(' ')));
    helps.set(command, help);
    t.match(help, 'Usage: nftlane', `${path}: nftlane ${command}`);
    for (const [flag] of rest.matchAll(/(?<=\s)--[a-z-]+/g)) {
      const isKnown = new RegExp(`${flag}\\b`).test(help) || (command === 'run' && hidden.has(flag));
      t.ok(isKnown, `${path}: nftlane ${command} ${flag}`);
    }
  }
});

t.test('directories, pods and containers that kubectl is told of', async (t) => {
  const directories = found(/--kustomize (manifests\/\w+)/g);
  t.ok(directories.length > 2);
  for (const [path, [directory = '']] of directories) t.ok(existsSync(join(TOP, directory)), `${path}: ${directory}`);
  const daemonSet = renderOverlay('base').find(({ kind }) => kind === 'DaemonSet');
  const labels = found(/(?:\s-l|--selector)[ =]([\w./]+=\w+)/g);
  t.ok(labels.length > 1);
  for (const [path, [label = '']] of labels) {
    const [name = '', value] = label.split('=');
    t.match(daemonSet, { spec: { template: { metadata: { labels: { [name]: value } } } } }, `${path}: ${label}`);
  }
  const names = podOf(renderOverlay('base')).containers.map(({ name }) => name);
  for (const [path, [name = '']] of found(/ -c (\w+) /g)) t.ok(names.includes(name), `${path}: ${name}`);
});

t.test('links lead somewhere', async (t) => {
  const links = found(/\]\((?!https?:|#)([^)#\s]+)/g);
  t.ok(links.length > 20);
  for (const [path, [link = '']] of links) t.ok(existsSync(join(TOP, dirname(path), link)), `${path}: ${link}`);
});

t.test('targets of make', async (t) => {
  const makefile = readFileSync(join(TOP, 'Makefile'), 'utf8');
  for (const [path, [target = '']] of found(/(?:^ {4}|`)make ([a-z0-9-]+)/gm)) {
    t.ok(new RegExp(`^${target}:`, 'm').test(makefile), `${path}: make ${target}`);
  }
});
