// Tests that documents, help texts, manifests and code use the same names.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROXY_FLAGS, RUN_FLAGS } from '../../src/cli/flags/flag-table.ts';
import { runCli } from '../../src/cli/program.ts';
import { documentTexts, occurrences, ROOT, textsIn } from '../support/names/documents.ts';
import { type LogCall, logCalls } from '../support/names/log-calls.ts';
import { seriesNames } from '../support/names/registered-metrics.ts';

const DOCUMENTS = documentTexts();
const SOURCES = textsIn('src', '.ts');
const COMMANDS = ['run', 'render', 'diff', 'explain', 'doctor', 'accept-loss', 'cleanup'];
const INSPECT_COMMANDS = ['inspect', 'inspect services', 'inspect ruleset', 'inspect fastpath'];

/** Inline code of a document. */
const CODE = /(?<!`)`([^`\n]+)`/g;

async function helpOf(t: Test, command: readonly string[]): Promise<string> {
  const written = t.capture(process.stdout, 'write', () => true);
  await runCli([...command, '--help'], new AbortController().signal);
  const text = written()
    .map(({ args }) => String(args[0]))
    .join('');
  written.restore();
  return text;
}

/** The flags that a help text lists, each with its short form where it has one. */
function flagsIn(help: string): { readonly flag: string; readonly short: string | undefined }[] {
  return [...help.matchAll(/^ +(?:(-\w), )?(--[a-z-]+)/gm)].map(([, short, flag = '']) => ({ flag, short }));
}

t.test('commands and flags in documents exist', async (t) => {
  const helps = new Map<string, string>();
  const hidden = new Set([...PROXY_FLAGS, ...RUN_FLAGS].map(({ name }) => `--${name}`));
  const pattern = /(?:^|[\s`])nftlane (run|render|diff|explain|doctor|cleanup|inspect(?: \w+)?)\b([^`|#\n]*)/gm;
  const commands = occurrences(DOCUMENTS, pattern);
  t.ok(commands.length > 20, `${commands.length} commands`);
  for (const { path, groups } of commands) {
    const [command = '', rest = ''] = groups;
    const help = helps.get(command) ?? (await helpOf(t, command.split(' ')));
    helps.set(command, help);
    t.match(help, 'Usage: nftlane', `${path}: nftlane ${command}`);
    for (const [flag] of rest.matchAll(/(?<=\s)--[a-z-]+/g)) {
      const isKnown = new RegExp(`${flag}\\b`).test(help) || (command === 'run' && hidden.has(flag));
      t.ok(isKnown, `${path}: nftlane ${command} ${flag}`);
    }
  }
});

t.test('flags in inline code exist', async (t) => {
  const known = new Set([...PROXY_FLAGS, ...RUN_FLAGS].map(({ name }) => `--${name}`));
  for (const command of [...COMMANDS, ...INSPECT_COMMANDS]) {
    for (const { flag } of flagsIn(await helpOf(t, command.split(' ')))) known.add(flag);
  }
  // Deprecated flags of kube-proxy, which the help hides.
  for (const flag of ['--healthz-port', '--metrics-port']) known.add(flag);
  const named = occurrences(DOCUMENTS, /(?<!`)`(--[a-z-]+)[^`\n]*`/g);
  t.ok(named.length > 15, `${named.length} flags`);
  for (const { path, groups } of named) t.ok(known.has(groups[0] ?? ''), `${path}: ${groups[0]}`);
});

t.test('every flag in a help text is documented, itself or by its configuration field', async (t) => {
  const all = [...DOCUMENTS.values()].join('\n');
  const fieldOf = new Map([...PROXY_FLAGS, ...RUN_FLAGS].map(({ name, path }) => [`--${name}`, path]));
  for (const command of [...COMMANDS, ...INSPECT_COMMANDS]) {
    for (const { flag, short } of flagsIn(await helpOf(t, command.split(' ')))) {
      if (flag === '--help') continue;
      const field = fieldOf.get(flag)?.replace('*', 'nftables');
      const names = [flag, ...(short === undefined ? [] : [short])];
      const isNamed = names.some((name) => new RegExp(`[\\s\`(]${name}(?![\\w-])`).test(all));
      t.ok(isNamed || all.includes(`\`${field}\``), `nftlane ${command} ${flag}`);
    }
  }
});

/** Everything in a text that looks like one of our metrics. What has a colon is a rule's record. */
function metricsIn(text: string): string[] {
  const found = text.matchAll(/(?<![\w:])(?:nftlane|kubeproxy|rest_client|process|nodejs)_\w+(?![\w:])/g);
  return [...new Set([...found].map(([name]) => name))].sort();
}

t.test('metrics in documents and manifests exist', async (t) => {
  const known = seriesNames();
  const monitoring = ['nftlane.rules.yaml', 'nftlane.rules.test.yaml', 'nftlane-dashboard.json'];
  const files = monitoring.map((name) => `manifests/monitoring/${name}`);
  const texts = new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
  for (const path of ['docs/METRICS.md', ...files]) {
    t.ok(metricsIn(texts.get(path) ?? DOCUMENTS.get(path) ?? '').length > 10, `${path} names metrics`);
  }
  for (const [path, text] of [...DOCUMENTS, ...texts]) {
    const unknown = metricsIn(text).filter((name) => !known.has(name));
    t.strictSame(unknown, [], path);
  }
});

/** Chains, sets and maps of the golden rulesets: those of a Service or a number of endpoints without it. */
function rulesetNames(): Set<string> {
  const found = occurrences(textsIn('test/golden', '.nft'), /^\s*(?:chain|set|map) (\S+)/gm);
  return new Set(found.map(({ groups: [name = ''] }) => generalName(name)));
}

/** `affinity-update-60/shop/web/tcp/http` is written `affinity-update-N/ID` here. */
function generalName(name: string): string {
  return name.replace(/\/.+$/, '/ID').replace(/-(?:\d+|SECONDS)(?=$|\/)/, '-N');
}

/** Hyphenated names in documents that are not in our tables. */
const NAMES_OF_OTHERS = ['kube-ipvs0', 'iptables-nft-save', 'iptables-legacy-save', 'no-conntrack', 'source-hash'];

t.test('chains, sets and maps in documents exist', async (t) => {
  const known = [...rulesetNames()];
  t.ok(known.length > 40, `${known.length} names`);
  const named = [
    ...occurrences(DOCUMENTS, /`([a-z][a-z0-9]*(?:-[a-zA-Z0-9*]+)+(?:\/ID)?)`/g),
    ...occurrences(DOCUMENTS, /@([a-z]+(?:-[a-z]+)+(?:\/ID)?)/g),
    ...occurrences(DOCUMENTS, /nft list (?:map|set|chain) ip6? nftlane (\S+)/g),
  ].filter(
    ({ groups: [name = ''] }) => !NAMES_OF_OTHERS.includes(name) && !/^(?:conntrack-HASH|nftlane-bpf)$/.test(name),
  );
  t.ok(named.length > 20, `${named.length} names in documents`);
  for (const { path, groups } of named) {
    const [name = ''] = groups;
    const pattern = new RegExp(`^${generalName(name).replaceAll('*', '.*')}$`);
    t.ok(
      known.some((candidate) => pattern.test(candidate)),
      `${path}: ${name}`,
    );
  }
});

t.test('every set and map is in ARCHITECTURE', async (t) => {
  const text = DOCUMENTS.get('docs/ARCHITECTURE.md') ?? '';
  const patterns = [...text.matchAll(CODE)].map(
    ([, code = '']) => new RegExp(`^${code.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`),
  );
  const found = occurrences(textsIn('test/golden', '.nft'), /^\s*(?:set|map) (\S+)/gm);
  const names = new Set(found.map(({ groups: [name = ''] }) => generalName(name)));
  t.ok(names.size > 15, `${names.size} sets and maps`);
  for (const name of names)
    t.ok(
      patterns.some((pattern) => pattern.test(name)),
      name,
    );
});

t.test('METRICS lists the reason of every Event, and no other', async (t) => {
  const inCode = [
    ...occurrences(SOURCES, /\breason: (?:\w+ \? )?'([A-Z][A-Za-z]+)'(?: : '([A-Z][A-Za-z]+)')?/g),
    ...occurrences(SOURCES, /'(?:Normal|Warning)',\s*'([A-Z][A-Za-z]+)'/g),
  ];
  const reasons = new Set(inCode.flatMap(({ groups }) => groups).filter((reason) => /^[A-Z][a-z]\w+$/.test(reason)));
  const rows = [...(DOCUMENTS.get('docs/METRICS.md') ?? '').matchAll(/^\| \w+ \| (?:Normal|Warning) \| (.*?) \|/gm)];
  const listed = rows.flatMap(([, cell = '']) => [...cell.matchAll(CODE)].map(([, reason = '']) => reason));
  t.ok(listed.length > 10, `${listed.length} reasons`);
  t.strictSame([...listed].sort(), [...reasons].sort());
});

const LOG_CALLS: readonly LogCall[] = [...SOURCES].flatMap(([path, text]) => logCalls(path, text));

t.test('log messages are constant text in lower case', async (t) => {
  t.ok(LOG_CALLS.length > 50, `${LOG_CALLS.length} calls`);
  const constant = /^(?:.*\? )?(['"])(?:[a-z]|API |BPF |Events? |HTTP |IPv|Services? |UDP )[^`]*\1$/s;
  for (const { place, message } of LOG_CALLS) t.match(message, constant, place);
});

t.test('TROUBLESHOOTING explains each warning and each error of the log', async (t) => {
  const text = (DOCUMENTS.get('docs/TROUBLESHOOTING.md') ?? '').replaceAll(/\s+/g, ' ');
  const alarming = LOG_CALLS.filter(({ level }) => level === 'warn' || level === 'error');
  const messages = alarming.flatMap(({ place, message }) =>
    [...message.matchAll(/'((?:[^'\\]|\\.)+)'/g)].map(([, literal = '']) => ({ place, literal })),
  );
  t.ok(messages.length > 50, `${messages.length} messages`);
  for (const { place, literal } of messages) t.ok(text.includes(`\`${literal}\``), `${place}: "${literal}"`);
});

/** The fields that TROUBLESHOOTING lists: the first column of the table below its heading. */
function documentedFields(): string[] {
  const [, section = ''] = (DOCUMENTS.get('docs/TROUBLESHOOTING.md') ?? '').split(/^## Log fields$/m);
  const [table = ''] = section.split(/^## /m);
  const cells = [...table.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(CODE)].map(([, field = '']) => field));
}

t.test('TROUBLESHOOTING lists the fields of log messages, and no other', async (t) => {
  const listed = documentedFields();
  const used = new Set(LOG_CALLS.flatMap(({ fields }) => fields));
  t.equal(new Set(listed).size, listed.length, 'each once');
  for (const field of used) t.ok(listed.includes(field), `"${field}" is listed`);
  for (const field of listed) {
    const isUsed = used.has(field) || [...SOURCES.values()].some((text) => new RegExp(`\\b${field}\\b[,:]`).test(text));
    t.ok(isUsed, `"${field}" is used`);
  }
});

/** Programs whose commands stand in inline code. */
const PROGRAMS = 'kubectl|kubeadm|nftlane|nft|ip|make|node|conntrack|run|inspect|explain|cleanup|usable|add|flush';
const COMMAND = new RegExp(
  `^(?:${PROGRAMS})\\b|[=/|*"{}[\\]]|--|\\b(?!PATH\\b|UDP\\b|TCP\\b|CAP_NET_ADMIN\\b|API\\b)[A-Z]{2,}`,
);

t.test('messages that TROUBLESHOOTING, INSTALL and MIGRATION quote exist', async (t) => {
  const code = [...SOURCES, ...textsIn('bpf', '.c'), ...textsIn('bpf', '.h')].map(([, text]) => text).join('\n');
  const quoting = ['docs/TROUBLESHOOTING.md', 'docs/INSTALL.md', 'docs/MIGRATION.md', 'docs/FAST-PATH.md'];
  const texts = new Map(quoting.map((path) => [path, DOCUMENTS.get(path) ?? '']));
  const quoted = occurrences(texts, CODE).filter(
    ({ groups: [text = ''] }) => text.split(' ').length >= 3 && !COMMAND.test(text),
  );
  t.ok(quoted.length > 15, `${quoted.length} messages`);
  for (const { path, groups } of quoted) {
    const parts = (groups[0] ?? '').split(/…|: /).map((part) => part.replaceAll(/^[\s,)]+|[\s(]+$/g, ''));
    t.ok(
      parts.every((part) => code.includes(part)),
      `${path}: ${groups[0]}`,
    );
  }
});

t.test('files and folders in inline code exist', async (t) => {
  const named = occurrences(
    DOCUMENTS,
    /(?<!`)`((?:src|test(?!\/unit\/x\/)|bpf|docs|hack|manifests)\/(?!x\/)[\w./-]+)`/g,
  );
  t.ok(named.length > 20, `${named.length} paths`);
  for (const { path, groups } of named) {
    const [name = ''] = groups;
    t.ok(existsSync(join(ROOT, name)), `${path}: ${name}`);
  }
});
