// Tests that objects compile to the recorded rulesets, and that the kernel accepts these. UPDATE=1 records them again.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { findDrift } from '../../src/engine/drift.ts';
import { Engine } from '../../src/engine/engine.ts';
import { render } from '../../src/engine/render.ts';
import { type Prefix, parsePrefix } from '../../src/net/prefix.ts';
import type { NodeOptions } from '../../src/nftables/compile/node-view.ts';
import { allSetsAndMaps } from '../../src/nftables/compile/sets-and-maps.ts';
import { type RefKey, refKey } from '../../src/nftables/syntax/object-ref.ts';
import type { NodePortAddress } from '../../src/services/model/node-port-addresses.ts';
import { formatIssue } from '../../src/services/objects/validation-issue.ts';
import { DEFAULT_OPTIONS } from '../support/builders/proxy-options.ts';
import { replaceAll } from '../support/builders/put-objects.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { NamespacedNftClient } from '../support/fakes/namespaced-nft-client.ts';

const ROOT = new URL('./', import.meta.url);
const IS_UPDATE = process.env['UPDATE'] === '1';
const KNOWN_FILES = ['cluster.yaml', 'issues.txt', 'options.json', 'ruleset.nft'];

/** The options in `options.json` of a golden folder. */
interface GivenOptions {
  readonly masqueradeAll?: boolean;
  readonly resetsConnections?: boolean;
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
  const { masqueradeAll = false, resetsConnections, clusterCidrs = [], interfacePrefix, nodePortAddresses } = given;
  const options: NodeOptions = {
    ...DEFAULT_OPTIONS,
    nodeName: 'n1',
    masqueradeAll,
    resetsConnections,
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

/** Checks that the file has this text; without text there must be no file. */
function isRecorded(t: Test, file: URL, text: string): void {
  if (IS_UPDATE) {
    if (text === '') rmSync(file, { force: true });
    else writeFileSync(file, text);
  }
  const recorded = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const name = file.pathname.split('/').at(-1);
  t.equal(text, recorded, `${name} is the recorded one`, { diagnostic: text !== recorded });
}

const NO_NAMESPACE = process.getuid?.() === 0 ? undefined : 'only root can create network namespaces';
const tables = NO_NAMESPACE === undefined ? new NamespacedNftClient() : undefined;
t.teardown(() => tables?.close());

/** The desired elements of each set and map, by key. */
function desiredOf(engine: Engine): Map<RefKey, Record<string, string>> {
  return new Map(
    allSetsAndMaps().map((object) => [
      refKey(object),
      Object.fromEntries(engine.elements(object).map((element) => [element.key, shown(element)])),
    ]),
  );
}

const shown = ({ data, comment }: { data: string; comment: string }) => `"${comment}" : ${data}`;

/** Loads the ruleset into the kernel, which must then have exactly the desired state of the engine. */
async function isAccepted(
  t: Test,
  tables: NamespacedNftClient,
  { engine, ruleset }: { engine: Engine; ruleset: string },
) {
  // Twice, because the file must replace its own tables.
  for (let i = 0; i < 2; i++) await tables.runExternally([ruleset]);
  const listing = await tables.list();
  for (const [object, desired] of desiredOf(engine)) {
    const installed = [...(listing.elements.get(object) ?? [])].map(([key, element]) => [key, shown(element)] as const);
    t.strictSame(Object.fromEntries(installed), desired, object);
  }
  engine.adopt(listing);
  t.strictSame(findDrift(engine, listing), [], 'nothing is missing or unexpected');
}

const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());

for (const { name } of folders) {
  t.test(name.replaceAll('-', ' '), async (t) => {
    const folder = new URL(`${name}/`, ROOT);
    const engine = readEngine(folder);
    const ruleset = new URL('ruleset.nft', folder);
    isRecorded(t, ruleset, render(engine));
    const issues = engine.issues().map((issue) => `${formatIssue(issue)}\n`);
    const conflicts = engine
      .conflicts()
      .map(({ frontend, winner, losers }) => `${frontend}: ${winner} has it, not ${losers.join(', ')}\n`);
    isRecorded(t, new URL('issues.txt', folder), [...issues, ...conflicts].join(''));
    const unknown = readdirSync(folder).filter((file) => !KNOWN_FILES.includes(file));
    t.strictSame(unknown, [], 'no other files');
    t.match(
      readFileSync(new URL('cluster.yaml', folder), 'utf8'),
      /^(?:# .+\n)*# .+\.\n/,
      'the file starts with a story',
    );
    await t.test('the kernel accepts the ruleset and lists the same', { skip: NO_NAMESPACE ?? false }, async (t) => {
      if (tables !== undefined) await isAccepted(t, tables, { engine, ruleset: readFileSync(ruleset, 'utf8') });
    });
  });
}

t.test('there are golden folders', async (t) => {
  t.ok(folders.length >= 12, `${folders.length} folders`);
});
