// The log on standard error: JSON lines, or text on a terminal.

import { pino } from 'pino';
import type { LogFormat, LogLevel } from './log-level.ts';
import { LogWriter, openStandardError } from './log-writer.ts';

/** The process has two seconds to end. */
const DRAIN_MS = 200;

/** Details of a message by name. */
export type LogFields = Readonly<Record<string, unknown>>;

type LogMethod = (message: string, details?: LogFields) => void;

/** A method for each level. Messages are constant; details are fields. */
export type Log = Readonly<Record<LogLevel, LogMethod>>;

/** A log whose level can be changed at run time. */
export interface AdjustableLog extends Log {
  setLevel(level: LogLevel): void;
  /** Messages that could not be written, because the reader was too slow or the disk was full. */
  readonly dropped: number;
  /** Writes what the reader takes now. */
  flush(): void;
  /** Waits for a slow reader, but not for long. Call it before the process ends. */
  drain(): Promise<void>;
}

/** A log on standard error. `auto` is text on a terminal and JSON otherwise. It never waits: see {@link LogWriter}. */
export async function createLog({ level, format }: { level: LogLevel; format: LogFormat }): Promise<AdjustableLog> {
  const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  const print = isText ? await textPrinter() : (line: string) => line;
  // Set while a line is only formatted.
  let formatted: string | undefined;
  const stream = {
    write: (line: string): void => {
      if (formatted === undefined) writer.write(print(line));
      else formatted = print(line);
    },
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    },
    stream,
  );
  const methodAt =
    (at: LogLevel): LogMethod =>
    (message, details = {}) =>
      logger[at](details, message);
  const log: Log = {
    debug: methodAt('debug'),
    info: methodAt('info'),
    warn: methodAt('warn'),
    error: methodAt('error'),
  };
  const report = (count: number): string => {
    formatted = '';
    log.warn('log messages dropped', { count });
    const line = formatted;
    formatted = undefined;
    return line;
  };
  const writer = new LogWriter({ fd: openStandardError(), report });
  return {
    ...log,
    setLevel: (to) => {
      logger.level = to;
    },
    get dropped() {
      return writer.dropped;
    },
    flush: () => writer.flush(),
    drain: () => writer.drain(DRAIN_MS),
  };
}

/** Loaded only when it is used. */
async function textPrinter(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({ colorize: process.stderr.isTTY, ignore: 'pid,hostname', singleLine: true });
}
