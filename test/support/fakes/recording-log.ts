// A log that keeps its lines.

import type { Log } from '../../../src/host/log.ts';
import { LOG_LEVELS, type LogLevel } from '../../../src/host/log-level.ts';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function recordLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const writers = LOG_LEVELS.map((level) => [
    level,
    (message: string, details: Readonly<Record<string, unknown>> = {}) => void lines.push({ level, message, details }),
  ]);
  return { log: Object.fromEntries(writers), lines };
}
