// The table as a page to read.
import type { Improvement, Section, Statement, TestName } from './statement.ts';

const INTRODUCTION = `# Behaviour

What this proxy does with Services and packets, and which test shows it. Statements have numbers, and say in one sentence
what is so here. A test that is marked with **better** is there for something that kube-proxy does otherwise.

This page is written by \`node docs/behaviour/write-page.ts\` from \`docs/behaviour\`, and a test fails when it is not
current, when a number is missing, or when a test that it names does not exist. What all clients, policies and states of
endpoints come to is in [conformance.md](conformance.md), and packets.* points there where it names that test.`;

/** The page, in Markdown. */
export function toPage(sections: readonly Section[]): string {
  return `${[INTRODUCTION, summary(sections), ...sections.map(toSection)].join('\n\n')}\n`;
}

function summary(sections: readonly Section[]): string {
  const rows = sections.map(({ title, statements }) => {
    const tested = statements.filter(({ tests, improvements }) => tests !== undefined || improvements !== undefined);
    const better = statements.flatMap((statement) => statement.improvements ?? []);
    return `| ${title} | ${statements.length} | ${tested.length} | ${better.length} |`;
  });
  return ['| section | statements | with tests | improvements |', '|---|---|---|---|', ...rows].join('\n');
}

function toSection({ title, statements }: Section): string {
  const rows = statements.map((statement) => `| ${statement.id} | ${words(statement)} | ${proofs(statement)} |`);
  return [`## ${title}`, '', '| | what is so | what shows it |', '|---|---|---|', ...rows].join('\n');
}

function words({ text, improvements = [] }: Statement): string {
  return [text, ...improvements.map(({ kubeProxy }) => `<br>**better**; kube-proxy: ${kubeProxy}`)].join(' ');
}

function proofs({ tests = [], improvements = [], untested }: Statement): string {
  const named = improvements.map(({ test }: Improvement) => `**better**: ${link(test)}`);
  const why = untested === undefined ? [] : [`*${untested}*`];
  return [...tests.map(link), ...named, ...why].join('<br>');
}

function link({ file, title }: TestName): string {
  return `[${title.replaceAll('|', '\\|')}](../${file})`;
}
