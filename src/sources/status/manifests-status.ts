// How current the objects from a directory of manifests are.

import type { DirectoryState } from '../manifests/directory-source.ts';
import type { SourceProblem, SourceStatus } from './source-status.ts';

interface ManifestsStatusOptions {
  readonly name: string;
  readonly state: DirectoryState;
  readonly startedAt: number;
  readonly now: number;
}

/** The directory is read at least every two seconds, which large files can delay. */
export const SILENT_AFTER_MS = 30_000;

/** Judges the state of a directory. */
export function manifestsStatus({ name, state, startedAt, now }: ManifestsStatusOptions): SourceStatus {
  const age = (at: number): number => Math.max(0, Math.round(now - at));
  const { readAt, missing, invalidFiles } = state;
  const contactMs = readAt === undefined ? {} : { contactMs: age(readAt) };
  const problems: SourceProblem[] = [];
  const directory = 'manifest directory';
  if (missing !== undefined)
    problems.push({ cause: 'unreachable', subject: directory, forMs: age(missing.since), reason: missing.reason });
  else if (readAt === undefined) problems.push({ cause: 'waiting', subject: directory, forMs: age(startedAt) });
  else if (age(readAt) >= SILENT_AFTER_MS)
    problems.push({ cause: 'silent', subject: directory, forMs: age(readAt), reason: 'not read again' });
  for (const { file, reason, since } of invalidFiles)
    problems.push({ cause: 'failing', subject: `manifest ${file}`, forMs: age(since), reason });
  return { name, ...contactMs, resources: [{ resource: 'manifests', ...contactMs }], problems };
}
