// Tests that given objects give the recorded rulesets, and that the kernel takes them. UPDATE=1 records anew.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { findDrift, modifiedChainDrift } from '../../src/engine/drift.ts';
import { Engine } from '../../src/engine/engine.ts';
import { render } from '../../src/engine/render.ts';
import { type Prefix, parsePrefix } from '../../src/net/prefix.ts';
import { DEFAULT_OPTIONS, type NodeOptions } from '../../src/nftables/compile/node-view.ts';
import { allSetsAndMaps } from '../../src/nftables/compile/sets-and-maps.ts';
import { type RefKey, refKey } from '../../src/nftables/syntax/object-ref.ts';
import type { NodePortAddress } from '../../src/services/model/node-port-addresses.ts';
import { formatIssue } from '../../src/services/objects/validation-issue.ts';
import { replaceAll } from '../support/builders/put-objects.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { NamespacedNftClient } from '../support/fakes/namespaced-nft-client.ts';

const ROOT = new URL('./', import.meta.url);
const IS_UPDATE = process.env['UPDATE'] === '1';
const KNOWN_FILES = ['cluster.yaml', 'issues.txt', 'options.json', 'ruleset.nft'];

/** What a golden folder can say in `options.json`; prefixes are texts there. */
interface GivenOptions {
  readonly masqueradeAll?: boolean;
  readonly resetsEnded?: boolean;
  readonly clusterCidrs?: readonly string[];
  readonly interfacePrefix?: string;
  readonly nodePortAddresses?: readonly string[];
  readonly hostAddresses?: readonly string[];
}

function readEngine(folder: URL): Engine {
  const optionsFile = new URL('options.json', folder);
  const given: GivenOptions = existsSync(optionsFile) ? JSON.parse(readFileSync(optionsFile, 'utf8')) : {};
  const engine = new Engine(toOptions(given));
  engine.setHostAddresses(given.hostAddresses ?? []);
  const documents = parseAllDocuments(readFileSync(new URL('cluster.yaml', folder), 'utf8'));
  replaceAll(
    engine,
    documents.map((document) => document.toJS() as ApiObject),
  );
  engine.compile();
  return engine;
}

function toNodePortAddress(text: string): readonly NodePortAddress[] {
  return text === 'primary' || text === 'all' || text === 'localhost' ? [text] : prefixes([text]);
}

function toOptions(given: GivenOptions) {
  const { masqueradeAll = false, resetsEnded, clusterCidrs = [], interfacePrefix, nodePortAddresses } = given;
  const options: NodeOptions = {
    ...DEFAULT_OPTIONS,
    nodeName: 'n1',
    masqueradeAll,
    resetsConnections: resetsEnded,
    nodePortAddresses: nodePortAddresses?.flatMap(toNodePortAddress) ?? ['primary'],
    detectLocal:
      interfacePrefix === undefined
        ? { mode: 'ClusterCIDR', cidrs: prefixes(clusterCidrs) }
        : { mode: 'InterfaceNamePrefix', name: interfacePrefix },
  };
  return options;
}

function prefixes(texts: readonly string[]): Prefix[] {
  return texts.map(parsePrefix).filter((prefix) => prefix !== undefined);
}

/** The file holds this text; an empty text is no file. */
function isRecorded(t: Test, file: URL, text: string): void {
  if (IS_UPDATE) {
    if (text === '') rmSync(file, { force: true });
    else writeFileSync(file, text);
  }
  const recorded = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const name = file.pathname.split('/').at(-1);
  t.equal(text, recorded, `${name} is as recorded`, { diagnostic: text !== recorded });
}

const NO_NAMESPACE = process.getuid?.() === 0 ? undefined : 'only root can make network namespaces';
const tables = NO_NAMESPACE === undefined ? new NamespacedNftClient() : undefined;
t.teardown(() => tables?.close());

/** Each element of each object, by key, as the engine wants it. */
function wantedOf(engine: Engine): Map<RefKey, Record<string, string>> {
  return new Map(
    allSetsAndMaps().map((object) => [
      refKey(object),
      Object.fromEntries(engine.elements(object).map((element) => [element.key, shown(element)])),
    ]),
  );
}

const shown = ({ data, comment }: { data: string; comment: string }) => `"${comment}" : ${data}`;

/** Loads the ruleset into the kernel, whatever it holds; it must then hold exactly what the engine wants. */
async function isTaken(t: Test, tables: NamespacedNftClient, { engine, ruleset }: { engine: Engine; ruleset: string }) {
  // Twice: the file replaces what is there.
  for (let i = 0; i < 2; i++) await tables.runExternally([ruleset]);
  const listing = await tables.list();
  for (const [object, wanted] of wantedOf(engine)) {
    const held = [...(listing.elements.get(object) ?? [])].map(([key, element]) => [key, shown(element)] as const);
    t.strictSame(Object.fromEntries(held), wanted, object);
  }
  engine.adopt(listing);
  const drift = [...findDrift(engine, listing), ...modifiedChainDrift(engine, await tables.ruleCounts())];
  t.strictSame(drift, [], 'nothing else is there, and nothing is missing');
}

const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());

for (const { name } of folders) {
  t.test(name.replaceAll('-', ' '), async (t) => {
    const folder = new URL(`${name}/`, ROOT);
    const engine = readEngine(folder);
    const ruleset = new URL('ruleset.nft', folder);
    isRecorded(t, ruleset, render(engine));
    const issues = engine.store.issues().map((issue) => `${formatIssue(issue)}\n`);
    const conflicts = engine
      .conflicts()
      .map(({ frontend, winner, losers }) => `${frontend}: ${winner} has it, not ${losers.join(', ')}\n`);
    isRecorded(t, new URL('issues.txt', folder), [...issues, ...conflicts].join(''));
    const unknown = readdirSync(folder).filter((file) => !KNOWN_FILES.includes(file));
    t.strictSame(unknown, [], 'there are no other files');
    t.match(readFileSync(new URL('cluster.yaml', folder), 'utf8'), /^(?:# .+\n)*# .+\.\n/, 'a story comes first');
    await t.test('the kernel takes it and lists the same', { skip: NO_NAMESPACE ?? false }, async (t) => {
      if (tables !== undefined) await isTaken(t, tables, { engine, ruleset: readFileSync(ruleset, 'utf8') });
    });
  });
}

t.test('there are golden folders', async (t) => {
  t.ok(folders.length >= 12, `${folders.length} folders`);
});
