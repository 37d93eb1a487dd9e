// The results of the runs with the fast path, for a person and for a program.
import { table } from '../../src/lib/table.ts';
import { CLIENTS } from './cells.ts';
import type { FastResult, FastRun } from './fast-run.ts';
import { isAnswered } from './run-grid.ts';

export interface FastTotals {
  readonly cells: number;
  readonly byFastPath: number;
  readonly flows: number;
  readonly connections: number;
  /** Cells that disagree, and Service ports whose flows were miscounted. */
  readonly disagreeing: number;
}

export function fastTotalsOf(runs: readonly FastRun[]): FastTotals {
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
export function runWords({ setup, attachedBy, offloads }: FastRun): string {
  return `${setup}; fast path by ${attachedBy}, offloads ${offloads}`;
}

/** The runs as tables: what each has decided, and for whom. */
export function fastTables(runs: readonly FastRun[]): {
  readonly byRun: string;
  readonly byClient: string;
  readonly byPolicy: string;
} {
  const rows = runs.map((run) => [
    ...[run.setup, run.attachedBy, run.offloads, run.results.length, run.results.filter(isFast).length],
    ...[run.flows, disagreeing(run)],
  ]);
  const results = runs.flatMap((run) => run.results);
  return {
    byRun: table(['SETUP', 'BY', 'OFFLOADS', 'CELLS', 'BY THE FAST PATH', 'FLOWS', 'DISAGREEING'], rows),
    byClient: crossed(results, { head: 'CLIENT', rowOf: ({ cell }) => cell.client, order: Object.keys(CLIENTS) }),
    byPolicy: crossed(results, { head: 'POLICY', rowOf: ({ cell }) => cell.policy }),
  };
}

/** A row for each run, and one for each group of cells of which the fast path has decided any. */
export function fastRows(runs: readonly FastRun[], numberOf: (dimension: Dimension, name: string) => number) {
  return runs.flatMap((run, index) =>
    [...Map.groupBy(run.results.filter(isFast), ({ cell }) => DIMENSIONS.map((name) => cell[name]).join(' | '))].map(
      ([, list]) => {
        const cell = list[0]?.cell;
        return [index, ...DIMENSIONS.map((name) => numberOf(name, cell?.[name] ?? '')), list.length];
      },
    ),
  );
}

const DIMENSIONS = ['policy', 'endpoints', 'destination', 'client'] as const;
type Dimension = (typeof DIMENSIONS)[number];
export const FAST_COLUMNS = ['run', ...DIMENSIONS, 'byFastPath'] as const;

function isFast({ byFastPath }: FastResult): boolean {
  return byFastPath;
}

function disagreeing({ results, miscounts }: FastRun): number {
  return results.filter(({ differences }) => differences.length > 0).length + miscounts.length;
}

/** For each row and destination: how many of the cells that were answered were so by the fast path. */
function crossed(
  results: readonly FastResult[],
  { head, rowOf, order }: { head: string; rowOf: (result: FastResult) => string; order?: readonly string[] },
): string {
  const destinations = [...new Set(results.filter(isFast).map(({ cell }) => cell.destination))];
  const answered = results.filter((result) => isAnswered(result) && destinations.includes(result.cell.destination));
  const byRow = Map.groupBy(answered, rowOf);
  const rows = (order ?? [...byRow.keys()]).map((row) => [
    row,
    ...destinations.map((destination) => {
      const list = (byRow.get(row) ?? []).filter(({ cell }) => cell.destination === destination);
      return `${list.filter(isFast).length} of ${list.length}`;
    }),
  ]);
  return table([head, ...destinations], rows);
}
