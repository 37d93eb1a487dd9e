// The /statusz page: the program, its version and its uptime.

import { stringify } from 'yaml';
import { describeVerification, type VerificationStatus } from '../../controller/repair/element-verifier.ts';
import { describeSyncProblems, type SyncStatus } from '../../health/sync-status.ts';
import type { Clock } from '../../host/clock.ts';
import { printDuration } from '../../lib/duration.ts';
import { describeSourceProblem, type SourceStatus } from '../../sources/status/source-status.ts';
import { type PageHandler, type PageRequest, type PageResponse, TEXT_PLAIN } from './debug-server.ts';

export interface Program {
  readonly name: string;
  readonly version: string;
  /** A time of the clock. */
  readonly startedAt: number;
  readonly clock: Pick<Clock, 'now' | 'wallTime'>;
  readonly freshness?: () => Freshness;
}

/** How current the objects and the kernel are. */
export interface Freshness {
  readonly node: string;
  readonly source?: SourceStatus;
  readonly sync?: SyncStatus;
  readonly verification?: VerificationStatus;
}

const VERSIONS = ['v1beta1', 'v1alpha1'];

/** Text, or a `Statusz` of group config.k8s.io in JSON or YAML if `Accept` asks for it. */
export function statuszPage(program: Program, paths: readonly string[]): PageHandler {
  return ({ headers }: PageRequest): PageResponse => {
    for (const accepted of (headers.accept ?? '*/*').split(',').map(readMediaType)) {
      if (accepted.type === '*/*' || accepted.type === 'text/*' || accepted.type === 'text/plain') {
        return { type: TEXT_PLAIN, body: printText(program, paths) };
      }
      const version = accepted.parameters['v'] ?? '';
      const isStatusz = accepted.parameters['as'] === 'Statusz' && accepted.parameters['g'] === 'config.k8s.io';
      if (!isStatusz || !VERSIONS.includes(version)) continue;
      const statusz = toStatusz(program, { paths, version });
      if (accepted.type === 'application/json') return { type: accepted.type, body: JSON.stringify(statusz) };
      if (accepted.type === 'application/yaml') return { type: accepted.type, body: stringify(statusz) };
    }
    return { status: 406, type: TEXT_PLAIN, body: 'text/plain, or a Statusz of config.k8s.io as JSON or YAML\n' };
  };
}

/** RFC 9110, 12.5.1, without weights: the order of the types decides. */
function readMediaType(text: string): { type: string; parameters: Readonly<Record<string, string>> } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  return { type, parameters: Object.fromEntries(parameters.map((parameter) => parameter.split('=', 2))) };
}

function printText({ name, version, startedAt, clock, freshness }: Program, paths: readonly string[]): string {
  const lines = [
    ['Started', new Date(clock.wallTime(startedAt)).toUTCString()],
    ['Up', printUptime((clock.now() - startedAt) / 1000)],
    ['Node.js version', process.version],
    ['Binary version', version],
    ['Paths', paths.join(' ')],
    ...(freshness === undefined ? [] : freshnessLines(freshness())),
  ];
  return `\n${name} statusz\nNot for programs: the format may change.\n\n${lines.map((line) => `${line.join(': ')}\n`).join('')}`;
}

function toStatusz(program: Program, { paths, version }: { paths: readonly string[]; version: string }): unknown {
  return {
    kind: 'Statusz',
    apiVersion: `config.k8s.io/${version}`,
    metadata: { name: program.name },
    startTime: new Date(program.clock.wallTime(program.startedAt)).toISOString(),
    uptimeSeconds: Math.floor((program.clock.now() - program.startedAt) / 1000),
    goVersion: `node ${process.version}`,
    binaryVersion: program.version,
    emulationVersion: program.version,
    paths,
    ...(program.freshness === undefined ? {} : { freshness: freshnessFields(program.freshness()) }),
  };
}

function freshnessLines({ node, source, sync, verification }: Freshness): string[][] {
  const age = (ms: number | undefined): string => (ms === undefined ? 'never' : `${printDuration(ms)} ago`);
  return [
    ['Node', node],
    ['Source', source?.name ?? 'not opened yet'],
    ['Last contact', age(source?.contactMs)],
    ['Last sync', age(sync?.syncedMs)],
    ['Elements compared', describeRound(verification)],
    ...describeAll({ source, sync }).map((problem) => ['Problem', problem]),
  ];
}

/** Ages are in seconds. */
function freshnessFields({ node, source, sync, verification }: Freshness): unknown {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  return {
    node,
    source: source?.name,
    sourceContactSeconds: seconds(source?.contactMs),
    lastSyncSeconds: seconds(sync?.syncedMs),
    elementsComparedSeconds: seconds(verification?.roundEndedMs),
    elementDifferences: verification?.roundEndedMs === undefined ? undefined : verification.differences,
    problems: describeAll({ source, sync }),
  };
}

/** When all elements in the kernel were last compared, and with which result. */
function describeRound(verification: VerificationStatus | undefined): string {
  if (verification?.roundEndedMs === undefined) return 'not yet';
  return `${printDuration(verification.roundEndedMs)} ago, ${describeVerification(verification)}`;
}

function describeAll({ source, sync }: { source: SourceStatus | undefined; sync: SyncStatus | undefined }): string[] {
  return [
    ...(source?.problems.map(describeSourceProblem) ?? []),
    ...(sync === undefined ? [] : describeSyncProblems(sync)),
  ];
}

function printUptime(seconds: number): string {
  const padded = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${Math.floor(seconds / 3600)} hr ${padded((seconds / 60) % 60)} min ${padded(seconds % 60)} sec`;
}
