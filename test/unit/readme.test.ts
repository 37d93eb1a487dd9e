// Tests that the README says the same in English and in Korean, as far as that can be seen without reading either.
import { readFileSync } from 'node:fs';
import t from 'tap';

/** A number as written, with its unit where that is a symbol, which no language translates. */
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

/** Line by line, what is typed, and of the comment behind it, which is translated, that it is there, and its numbers. */
function codeOf(lines: readonly string[]) {
  const code = lines.filter((line) => line.startsWith('    '));
  return code.map((line) => {
    const [typed, ...comment] = line.split(' # ');
    return { typed, comments: comment.length, numbers: numbersIn(comment.join()) };
  });
}

/** Targets of links other than to the README in a language. */
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
