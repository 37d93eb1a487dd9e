// Formats the results of the runs with the fast path.

import { formatTable } from '../../src/lib/table.ts';
import { CLIENTS } from './cells.ts';
import type { FastPathResult, FastPathRun } from './fast-path-run.ts';
import { isAnswered } from './run-grid.ts';

export interface FastPathTotals {
  readonly cells: number;
  readonly byFastPath: number;
  readonly flows: number;
  readonly connections: number;
  /** Disagreeing cells, and Service ports with wrong counters. */
  readonly disagreeing: number;
}

export function fastPathTotalsOf(runs: readonly FastPathRun[]): FastPathTotals {
  const results = runs.flatMap((run) => run.results);
  return {
    cells: results.length,
    byFastPath: results.filter(({ byFastPath }) => byFastPath).length,
    flows: runs.reduce((sum, run) => sum + run.flows, 0),
    connections: results.reduce((sum, result) => sum + result.connections, 0),
    disagreeing: runs.reduce((sum, run) => sum + disagreeing(run), 0),
  };
}

/** A run in a few words. */
export function describeRun({ setup, attachedBy, offloads }: FastPathRun): string {
  return `${setup}; fast path by ${attachedBy}, offloads ${offloads}`;
}

/** The runs as tables: what the fast path decided in each run, for each client and each policy. */
export function fastPathTables(runs: readonly FastPathRun[]): {
  readonly byRun: string;
  readonly byClient: string;
  readonly byPolicy: string;
} {
  const rows = runs.map((run) => [
    ...[run.setup, run.attachedBy, run.offloads, run.results.length, run.results.filter(isByFastPath).length],
    ...[run.flows, disagreeing(run)],
  ]);
  const results = runs.flatMap((run) => run.results);
  return {
    byRun: formatTable(['SETUP', 'BY', 'OFFLOADS', 'CELLS', 'BY THE FAST PATH', 'FLOWS', 'DISAGREEING'], rows),
    byClient: crossTable(results, { head: 'CLIENT', rowOf: ({ cell }) => cell.client, order: Object.keys(CLIENTS) }),
    byPolicy: crossTable(results, { head: 'POLICY', rowOf: ({ cell }) => cell.policy }),
  };
}

/** A row for each run and group of cells of which the fast path decided any. */
export function fastPathRows(runs: readonly FastPathRun[], numberOf: (dimension: Dimension, name: string) => number) {
  return runs.flatMap((run, index) =>
    [
      ...Map.groupBy(run.results.filter(isByFastPath), ({ cell }) => DIMENSIONS.map((name) => cell[name]).join(' | ')),
    ].map(([, list]) => {
      const cell = list[0]?.cell;
      return [index, ...DIMENSIONS.map((name) => numberOf(name, cell?.[name] ?? '')), list.length];
    }),
  );
}

const DIMENSIONS = ['policy', 'endpoints', 'destination', 'client'] as const;
type Dimension = (typeof DIMENSIONS)[number];
export const FAST_PATH_COLUMNS = ['run', ...DIMENSIONS, 'byFastPath'] as const;

function isByFastPath({ byFastPath }: FastPathResult): boolean {
  return byFastPath;
}

function disagreeing({ results, miscounts }: FastPathRun): number {
  return results.filter(({ differences }) => differences.length > 0).length + miscounts.length;
}

/** For each row and destination: how many of the answered cells the fast path decided. */
function crossTable(
  results: readonly FastPathResult[],
  { head, rowOf, order }: { head: string; rowOf: (result: FastPathResult) => string; order?: readonly string[] },
): string {
  const destinations = [...new Set(results.filter(isByFastPath).map(({ cell }) => cell.destination))];
  const answered = results.filter((result) => isAnswered(result) && destinations.includes(result.cell.destination));
  const byRow = Map.groupBy(answered, rowOf);
  const rows = (order ?? [...byRow.keys()]).map((row) => [
    row,
    ...destinations.map((destination) => {
      const list = (byRow.get(row) ?? []).filter(({ cell }) => cell.destination === destination);
      return `${list.filter(isByFastPath).length} of ${list.length}`;
    }),
  ]);
  return formatTable([head, ...destinations], rows);
}
