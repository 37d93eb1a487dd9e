// Formats the results of the conformance grid as Markdown and JSON.

import { compare } from '../../src/lib/compare.ts';
import { formatTable } from '../../src/lib/table.ts';
import { CLIENTS } from './cells.ts';
import type { FastPathRun } from './fast-path-run.ts';
import { describeRun, FAST_PATH_COLUMNS, fastPathRows, fastPathTables, fastPathTotalsOf } from './report-fast-path.ts';
import type { Result } from './run-grid.ts';

/** Cells that are not run, and the reasons. */
export const NOT_RUN = [
  {
    what: 'SCTP',
    why: 'the kernel of the test machine has no SCTP sockets; test/integration/nft/unusual-packets.test.ts sends single packets, and a property test compares the Services with the ruleset',
  },
  {
    what: 'a process of this node whose endpoint is a host network pod of this node',
    why: 'the pods of the test network have network namespaces of their own',
  },
  {
    what: 'every combination of pod detection and node port addresses',
    why: 'each value is in one of the setups below, and the two settings do not interact',
  },
  { what: 'a node port at loopback, from another host', why: 'no such packet leaves its host' },
] as const;

/** Cells that differ only in family and protocol: one line of the report. */
interface Group {
  readonly setup: string;
  readonly client: string;
  readonly destination: string;
  readonly policy: string;
  readonly endpoints: string;
  readonly expected: string;
  /** The observations; more than one when families or protocols differ. */
  readonly seen: string;
  readonly cells: number;
  readonly agreeing: number;
  readonly differences: readonly string[];
}

export interface Totals {
  readonly cells: number;
  readonly disagreeing: number;
  readonly connections: number;
  readonly seconds: number;
}

export function totalsOf(results: readonly Result[], seconds: number): Totals {
  const disagreeing = results.filter(({ differences }) => differences.length > 0).length;
  const connections = results.reduce((sum, result) => sum + result.connections, 0);
  return { cells: results.length, disagreeing, connections, seconds };
}

const DIMENSIONS = ['setup', 'policy', 'endpoints', 'destination', 'client'] as const;

/**
 * A row for each group, with the index of its value in each dimension. Durations and connection counts are left out, so
 * that the same results give the same bytes.
 */
export function toJson(results: readonly Result[], runs: readonly FastPathRun[]): string {
  const groups = groupsOf(results);
  const dimensions = Object.fromEntries(
    DIMENSIONS.map((dimension) => [dimension, [...new Set(groups.map((group) => group[dimension]))]]),
  );
  const numberOf = (dimension: (typeof DIMENSIONS)[number], name: string) => dimensions[dimension]?.indexOf(name) ?? -1;
  const rows = groups.map((group) => [
    ...DIMENSIONS.map((dimension) => numberOf(dimension, group[dimension])),
    ...[group.cells, group.agreeing, group.expected],
    ...(group.agreeing < group.cells ? [group.seen, group.differences] : []),
  ]);
  const { cells, disagreeing } = totalsOf(results, 0);
  const columns = [...DIMENSIONS, 'cells', 'agreeing', 'expected', 'seen', 'differences'];
  const fastPath = {
    runs: runs
      .map((run) => ({ run: describeRun(run), ...fastPathTotalsOf([run]) }))
      .map(({ connections, flows, ...run }) => run),
    columns: FAST_PATH_COLUMNS,
  };
  const head = JSON.stringify({ cells, disagreeing, notRun: NOT_RUN, dimensions, fastPath, columns }, null, 2);
  return `${head.slice(0, -2)},\n${listing('rows', rows)},\n${listing('fastRows', fastPathRows(runs, numberOf))}\n}\n`;
}

/** One row per line. */
function listing(name: string, rows: readonly unknown[]): string {
  return `  "${name}": [\n${rows.map((row) => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`;
}

export function toMarkdown(
  results: readonly Result[],
  runs: readonly FastPathRun[],
  { cells, disagreeing, connections, seconds }: Totals,
): string {
  const fast = fastPathTotalsOf(runs);
  const lines = disagreements(results, runs);
  const groups = groupsOf(results);
  const setups = [...new Set(groups.map(({ setup }) => setup))];
  return [
    INTRODUCTION,
    `The last run: **${cells} cells, ${connections} connections, ${disagreeing} disagreements**; with the fast path **${fast.cells} cells, ${fast.byFastPath} of them decided by it, ${fast.connections} connections, ${fast.disagreeing} disagreements**; ${Math.round(seconds)} seconds.`,
    '## Outcomes',
    fenced(outcomes(results)),
    '## Disagreements',
    lines.length === 0 ? 'None.' : fenced(lines.join('\n')),
    ...fastSection(runs),
    '## Not run',
    NOT_RUN.map(({ what, why }) => `- ${what}: ${why}.`).join('\n'),
    ...setups.flatMap((setup) => [
      `## ${capital(setup)}`,
      ...sections(groups.filter((group) => group.setup === setup)),
    ]),
    '',
  ].join('\n\n');
}

const INTRODUCTION = `# Conformance

The outcome of a connection by client, destination, Service policies and endpoint states. Each cell is evaluated three
times, and the results have to agree: from the Services alone (\`src/explain/services\`), from the compiled ruleset
(\`src/explain/ruleset\`), and with real packets, in IPv4 and IPv6, TCP and UDP. \`make conformance\` runs all cells and writes
this file and \`conformance.json\`; it fails when anything differs.

Endpoints \`a\` and \`b\` are on the tested node, \`c\` is on another node. \`a c (node)\`: a and c answer, and see an address of
the tested node as the client address; \`(client)\`: they see the client's own address. \`outside (client)\`: the packet left
the cluster unchanged and was answered there. \`refused\`: TCP reset or ICMP error. \`silent\`: no answer. A disagreeing cell
shows the expected outcome and, after \`BUT\`, the observed one.`;

/** Every disagreeing cell, and every Service port with wrong fast path counters. */
export function disagreements(results: readonly Result[], runs: readonly FastPathRun[]): string[] {
  const wrong = (list: readonly Result[]) => list.filter(({ differences }) => differences.length > 0).map(line);
  const fast = runs.flatMap((run) =>
    [...wrong(run.results), ...run.miscounts].map((text) => `${describeRun(run)}: ${text}`),
  );
  return [...wrong(results), ...fast];
}

function fastSection(runs: readonly FastPathRun[]): string[] {
  const { byRun, byClient, byPolicy } = fastPathTables(runs);
  return [
    '## With the fast path',
    FAST_INTRODUCTION,
    fenced(byRun),
    'Answered cells that the fast path decided, over all runs:',
    fenced(byClient),
    fenced(byPolicy),
  ];
}

const FAST_INTRODUCTION = `The cells of the Local policies are run again with the [fast path](FAST-PATH.md), attached to a real uplink and
real pods. Each cell must have the same outcome as with nft alone, and as the Services and the ruleset say. The fast path
decided a cell when it was answered although none of its flows began in the node's network stack. That must hold for exactly
the cells that are eligible for the fast path, and its counters must fit: at least one flow for each of these cells, at most
one for each connection, every flow answered through the fast path, and no other flows. The policy \`internal Local, external
Cluster\` is the control: the fast path decides none of its cells.`;

/** A table of endpoints and clients for each destination; policies with equal results share a table. */
function sections(groups: readonly Group[]): string[] {
  const services = groups.filter(({ endpoints }) => endpoints !== '-');
  const others = groups.filter(({ endpoints }) => endpoints === '-');
  return [
    ...[...Map.groupBy(services, ({ destination }) => destination)].flatMap(([destination, list]) => [
      `### ${capital(destination)}`,
      ...destinationTables(list),
    ]),
    '### Destinations outside of all Services',
    fenced(grid(others, ({ destination }) => destination, 'DESTINATION')),
  ];
}

function destinationTables(groups: readonly Group[]): string[] {
  const byText = new Map<string, string[]>();
  for (const [policy, list] of Map.groupBy(groups, ({ policy }) => policy)) {
    const text = grid(list, ({ endpoints }) => endpoints, 'ENDPOINTS');
    byText.set(text, [...(byText.get(text) ?? []), policy]);
  }
  return [...byText].map(
    ([text, policies]) => `${policies.map((policy) => `- ${policy}`).join('\n')}\n\n${fenced(text)}`,
  );
}

function grid(groups: readonly Group[], rowOf: (group: Group) => string, head: string): string {
  const clients = Object.keys(CLIENTS).filter((client) => groups.some((group) => group.client === client));
  const rows = [...Map.groupBy(groups, rowOf)].map(([row, list]) => [
    row,
    ...clients.map((client) => cellText(list.find((group) => group.client === client))),
  ]);
  return formatTable([head, ...clients], rows);
}

function cellText(group: Group | undefined): string {
  if (group === undefined) return '';
  return group.cells === group.agreeing ? group.expected : `${group.expected} BUT ${group.seen}`;
}

function outcomes(results: readonly Result[]): string {
  const kind = ({ expected }: Result) => (/^(?:refused|silent)$/.test(expected) ? expected : 'answered');
  const byClient = Map.groupBy(results, ({ cell }) => cell.client);
  const rows = [...byClient].map(([client, list]) => [
    client,
    ...['answered', 'refused', 'silent'].map((end) => list.filter((result) => kind(result) === end).length),
    list.filter(({ differences }) => differences.length > 0).length,
  ]);
  return formatTable(['CLIENT', 'ANSWERED', 'REFUSED', 'SILENT', 'DISAGREEING'], rows);
}

/** A result as one line. */
export function line({ cell, differences }: Result): string {
  const { client, destination, policy, endpoints, family, protocol } = cell;
  return `${[client, destination, policy, endpoints, family, protocol].join(' / ')}: ${differences.join('; ')}`;
}

function groupsOf(results: readonly Result[]): Group[] {
  const keyOf = ({ setup, cell }: Result) =>
    [setup, cell.policy, cell.endpoints, cell.destination, cell.client].join(' | ');
  return [...Map.groupBy(results, keyOf).values()].map(toGroup);
}

function toGroup(results: readonly Result[]): Group {
  const [first] = results;
  if (first === undefined) throw new Error('A group has results');
  const { client, destination, policy, endpoints } = first.cell;
  const wrong = results.filter(({ differences }) => differences.length > 0);
  const alike = new Set((wrong.length === 0 ? results : wrong).map(({ seen }) => seen));
  return {
    ...{ setup: first.setup, client, destination, policy, endpoints },
    expected: [...new Set(results.map(({ expected }) => expected))].sort(compare).join(' or '),
    seen: [...alike].sort(compare).join(' or '),
    cells: results.length,
    agreeing: results.length - wrong.length,
    differences: [...new Set(wrong.flatMap(({ differences }) => differences))],
  };
}

function fenced(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
