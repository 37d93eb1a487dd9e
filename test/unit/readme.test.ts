// Tests that the English and the Korean README have the same structure, code, links and numbers.

import { readFileSync } from 'node:fs';
import t from 'tap';

/** A number, with its unit if the unit is a symbol, which is the same in both languages. */
const NUMBER = /\d(?:[\d.,]*\d)?(?: ?(?:ms|s|MB|x|%)(?![A-Za-z]))?/g;

function linesOf(file: string): string[] {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split('\n');
}

function numbersIn(text: string): string[] {
  return text.match(NUMBER) ?? [];
}

/** The numbers of each cell, of each row, of each table. */
function tablesOf(lines: readonly string[]): string[][][][] {
  const tables: string[][][][] = [];
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('|')) continue;
    if (!lines[index - 1]?.startsWith('|')) tables.push([]);
    tables.at(-1)?.push(line.split('|').map(numbersIn));
  }
  return tables;
}

/** The commands of code lines, and of their translated comments the number and the figures. */
function codeOf(lines: readonly string[]) {
  const code = lines.filter((line) => line.startsWith('    '));
  return code.map((line) => {
    const [command, ...comment] = line.split(' # ');
    return { command, comments: comment.length, numbers: numbersIn(comment.join()) };
  });
}

/** Link targets, except links between the READMEs. */
function targetsOf(lines: readonly string[]): string[] {
  const found = lines.join('\n').matchAll(/\]\(([^)]+)\)/g);
  const targets = [...found].map(([, target = '']) => target).filter((target) => !/^README(?:\.ko)?\.md$/.test(target));
  return [...new Set(targets)].sort();
}

const english = linesOf('README.md');
const korean = linesOf('README.ko.md');

t.test('each README links to the other below its title', async (t) => {
  t.equal(english[2], '[한국어](README.ko.md)');
  t.equal(korean[2], '[English](README.md)');
});

t.test('both READMEs have the same levels of headings', async (t) => {
  const levels = (lines: readonly string[]) => lines.flatMap((line) => /^#+(?= )/.exec(line) ?? []);
  t.ok(levels(english).length > 5, 'there are headings');
  t.strictSame(levels(korean), levels(english));
});

t.test('both READMEs have the same code', async (t) => {
  t.ok(codeOf(english).length > 10, 'there is code');
  t.strictSame(codeOf(korean), codeOf(english));
});

t.test('both READMEs link to the same targets', async (t) => {
  t.ok(targetsOf(english).length > 5, 'there are links');
  t.strictSame(targetsOf(korean), targetsOf(english));
});

t.test('the tables of both READMEs have the same rows, cells and numbers', async (t) => {
  t.ok(tablesOf(english).flat(3).length > 50, 'there are numbers');
  t.strictSame(tablesOf(korean), tablesOf(english));
});
