// Prints the line and branch coverage of the unit tests by package of src/.
//   node hack/coverage.mjs [SUMMARY]     default: runs the unit tests; SUMMARY is a coverage-summary.json of an earlier run
// Exit status: 0, or 1 when a pure package is below 95 % of lines or a test fails.

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';

const MINIMUM = 95;
const SUMMARY = '.tap/report/coverage-summary.json';

/** Packages without I/O, as in test/unit/layers.test.ts. */
const PURE = [
  'lib',
  'net',
  'services',
  'nftables/compile',
  'nftables/plan',
  'nftables/syntax',
  'engine',
  'explain',
  'inspect',
];

/** Whether a file has code, not types alone. */
function hasCode(text) {
  return /^(?:export )?(?:async )?(?:function|class|const|let)\b/m.test(text);
}

/** The parts of nftables have rows of their own, since one of them does I/O. */
function packageOf(file) {
  const [, first, second] = file.split('/');
  return first === 'nftables' ? `${first}/${second}` : first;
}

function runTests() {
  const files = globSync('test/unit/**/*.test.ts').sort();
  const flags = [
    '--coverage-report=json-summary',
    '--allow-incomplete-coverage',
    '--reporter=base',
    '--no-color',
    '--jobs=2',
    '--timeout=240',
  ];
  const env = { ...process.env, CI: 'true' };
  return spawnSync('tap', [...flags, ...files], { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}

function readSummary(path) {
  const root = `${process.cwd()}/`;
  const entries = Object.entries(JSON.parse(readFileSync(path, 'utf8')));
  return new Map(entries.map(([file, figures]) => [file.replace(root, ''), figures]));
}

/** The figures of a file; one that no test loads counts with its lines of code, all of them uncovered. */
function figuresOf(file, summary) {
  const known = summary.get(file);
  if (known !== undefined) return known;
  const text = readFileSync(file, 'utf8');
  const total = hasCode(text) ? text.split('\n').filter((line) => line.trim() !== '').length : 0;
  return { lines: { total, covered: 0 }, branches: { total: 0, covered: 0 }, isNotLoaded: total > 0 };
}

function percent({ total, covered }) {
  return total === 0 ? 100 : (100 * covered) / total;
}

function sum(figures, kind) {
  return {
    total: figures.reduce((total, each) => total + each[kind].total, 0),
    covered: figures.reduce((covered, each) => covered + each[kind].covered, 0),
  };
}

const [given] = process.argv.slice(2);
const passed = given !== undefined || runTests();
const summary = readSummary(given ?? SUMMARY);
const packages = new Map();
for (const file of globSync('src/**/*.ts').sort()) {
  const name = packageOf(file);
  packages.set(name, [...(packages.get(name) ?? []), { file, ...figuresOf(file, summary) }]);
}

let status = passed ? 0 : 1;
console.log('package               lines  branches  files');
for (const [name, files] of packages) {
  const lines = percent(sum(files, 'lines'));
  const isPure = PURE.includes(name);
  const isLow = isPure && lines < MINIMUM;
  if (isLow) status = 1;
  const note = isLow ? `pure, below ${MINIMUM} %` : isPure ? 'pure' : '';
  const figures = [lines, percent(sum(files, 'branches'))].map((value) => `${value.toFixed(1)} %`.padStart(8));
  console.log(`${name.padEnd(19)}${figures.join('  ')}  ${String(files.length).padStart(5)}  ${note}`.trimEnd());
}
console.log('\nfiles below 95 % of lines:');
for (const { file, lines, isNotLoaded } of [...packages.values()].flat()) {
  if (percent(lines) < MINIMUM)
    console.log(`${file}  ${percent(lines).toFixed(1)} %${isNotLoaded ? '  not loaded' : ''}`);
}
process.exit(status);
