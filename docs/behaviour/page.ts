// Prints the statements as a Markdown page.

import type { Improvement, Section, Statement, TestName } from './statement.ts';

const INTRODUCTION = `# Behavior

How nftlane handles Services and packets, with the tests that verify it. Each statement has a number and is one sentence.
**better** marks improvements over kube-proxy, each with a test of its own.

\`node docs/behaviour/write-page.ts\` generates this page from the YAML files in \`docs/behaviour\`. A test fails if the page is
outdated, if a number is missing, or if a test does not exist. [conformance.md](conformance.md) has the results for all clients,
policies and states of endpoints; the statements packets.* refer to it through the test "resolveFlow(), trace() and packets
agree".`;

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
  const rows = statements.map((statement) => `| ${statement.id} | ${describe(statement)} | ${evidence(statement)} |`);
  return [`## ${title}`, '', '| | statement | tests |', '|---|---|---|', ...rows].join('\n');
}

function describe({ text, improvements = [] }: Statement): string {
  return [text, ...improvements.map(({ kubeProxy }) => `<br>**better**; kube-proxy: ${kubeProxy}`)].join(' ');
}

function evidence({ tests = [], improvements = [], untested }: Statement): string {
  const named = improvements.map(({ test }: Improvement) => `**better**: ${link(test)}`);
  const reason = untested === undefined ? [] : [`*${untested}*`];
  return [...tests.map(link), ...named, ...reason].join('<br>');
}

function link({ file, title }: TestName): string {
  return `[${title.replaceAll('|', '\\|')}](../${file})`;
}
