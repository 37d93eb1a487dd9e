// Tests that the house keeps its own rules: which rooms there are, who knows whom, and what is said nowhere.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** The floors from the ground up. A room knows only rooms on lower floors, never its neighbours. */
const FLOORS: readonly (readonly string[])[] = [
  ['lib'],
  ['net'],
  ['kube', 'nft'],
  ['model', 'plan'],
  ['compile', 'route', 'trace'],
  ['engine'],
  ['inspect', 'sys'],
  ['manifests', 'cluster', 'apply', 'admin', 'config'],
  ['sync'],
  ['conntrack', 'health', 'metrics', 'events', 'takeover', 'sysctl', 'fastpath'],
  ['doctor'],
  ['cli'],
  ['main.ts'],
];

/** Rooms that neither do nor see anything outside: the same input gives the same output. */
const PURE_ROOMS = ['lib', 'net', 'kube', 'nft', 'model', 'plan', 'compile', 'route', 'trace', 'engine', 'inspect'];

/** Text that only these files, or files in these folders, may contain. */
const ONLY_IN: readonly { readonly text: RegExp; readonly places: readonly string[] }[] = [
  {
    text: /'node:child_process'/,
    places: ['src/sys/exec.ts', 'src/sys/follow.ts', 'src/apply/nft-session.ts', 'src/fastpath/loader-process.ts'],
  },
  { text: /'@kubernetes\/client-node[/']/, places: ['src/cluster/'] },
  { text: /'prom-client[/']/, places: ['src/metrics/'] },
];

const IMPURE = /'node:|\bprocess\b|\bconsole\.|\bDate\.now\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b/;
const VAGUE_NAMES = ['index', 'utils', 'helpers', 'common', 'misc', 'types'];
const MAX_LINES = 300;

/** What was written for the authors alone: paths outside the project, and numbers of statements in other papers. */
const PRIVATE = /\.\.\/shared\b|\/work\/|DESIGN\.md|\b(?:IN|SP|EP|TO|PK|NF|CT|HC|SL|CF|OP|TD)-\d+[a-z]?\b/;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OWN_PATH = 'test/unit/house.test.ts';

interface Source {
  /** From the top of the project, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** All files under a folder; none when there is no such folder. */
function filesIn(folder: string): Source[] {
  let entries: ReturnType<typeof readEntries>;
  try {
    entries = readEntries(folder);
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { path: posix.join(...path.slice(ROOT.length).split('/')), text: readFileSync(path, 'utf8') };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function readEntries(folder: string) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
}

const sources = filesIn('src').filter(({ path }) => path.endsWith('.ts'));
const texts = new Map(sources.map(({ path, text }) => [path, text]));

/** The files that a file imports or exports from, besides packages. */
function importsOf({ path, text }: Source): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']+)'/g);
  return [...found].map(([, target = '']) => posix.join(posix.dirname(path), target));
}

/** The code without its comments, in which any word may stand. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, '');
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function floorOf(path: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)));
}

t.test('every room has its floor', async (t) => {
  t.ok(sources.length > 30, 'there are sources');
  const unknown = new Set(sources.map(({ path }) => roomOf(path)).filter((room) => floorOf(`src/${room}`) < 0));
  for (const room of unknown) {
    t.fail(`"src/${room}" is a room that nobody knows: give it a floor in FLOORS, at the top of ${OWN_PATH}`);
  }
});

t.test('imports lead to lower floors', async (t) => {
  for (const source of sources) {
    for (const target of importsOf(source)) {
      t.ok(texts.has(target), `${source.path} imports ${target}, which exists`);
      if (roomOf(source.path) === roomOf(target)) continue;
      t.ok(floorOf(target) < floorOf(source.path), `${source.path} may import ${target}`);
    }
  }
});

t.test('no file imports itself, however far round', async (t) => {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) t.fail([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (done.has(path) || way.includes(path)) return;
    const text = texts.get(path);
    if (text === undefined) return;
    for (const target of importsOf({ path, text })) visit(target, [...way, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  t.equal(done.size, sources.length);
});

t.test('pure rooms touch nothing outside', async (t) => {
  for (const { path, text } of sources.filter(({ path }) => PURE_ROOMS.includes(roomOf(path)))) {
    const [found] = IMPURE.exec(withoutComments(text)) ?? [];
    t.equal(found, undefined, path);
  }
});

t.test('some modules are used in one place only', async (t) => {
  for (const { text: forbidden, places } of ONLY_IN) {
    const users = sources.filter(({ text }) => forbidden.test(text)).map(({ path }) => path);
    const strangers = users.filter((user) => !places.some((place) => user === place || user.startsWith(place)));
    t.strictSame(strangers, [], String(forbidden));
  }
});

t.test('files are short, say what they are, and have one name', async (t) => {
  for (const { path, text } of sources) {
    const lines = text.split('\n');
    t.ok(lines.length <= MAX_LINES + 1, `${path} has ${lines.length - 1} lines`);
    t.match(lines[0], /^(?:#!|\/\/ [A-Z\d`])/, `${path} begins with a comment about itself`);
    t.notOk(VAGUE_NAMES.includes(basename(path, '.ts')), `${path} has a name that says something`);
    t.match(basename(path), /^[a-z0-9-]+\.ts$/, `${path} is in kebab case`);
    t.notMatch(text, /^export default\b/m, `${path} has no default export`);
  }
});

t.test('nothing refers to papers outside the project', async (t) => {
  const all = ['src', 'test', 'manifests'].flatMap(filesIn).filter(({ path }) => path !== OWN_PATH);
  for (const { path, text } of all) {
    const [found] = PRIVATE.exec(text) ?? [];
    t.equal(found, undefined, path);
  }
});
