// One line an event: JSON for machines, words for a person at a terminal.
import { pino } from 'pino';
import type { LogFormat, LogLevel } from './log-level.ts';

/** Details of a message by name. */
export type LogFields = Readonly<Record<string, unknown>>;

type LogMethod = (message: string, details?: LogFields) => void;

/** Says what happened, with details by name. */
export type Log = Readonly<Record<LogLevel, LogMethod>>;

/** A log whose level can be changed at work. */
export interface AdjustableLog extends Log {
  setLevel(level: LogLevel): void;
}

/** A log on standard error. `auto` is text on a terminal and JSON otherwise. Writes are synchronous: nothing is lost at exit. */
export async function createLog({ level, format }: { level: LogLevel; format: LogFormat }): Promise<AdjustableLog> {
  const text = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  // Only a person at a terminal pays for loading the printer.
  const stream = text
    ? (await import('pino-pretty')).default({
        destination: 2,
        sync: true,
        colorize: process.stderr.isTTY,
        ignore: 'pid,hostname',
        singleLine: true,
      })
    : pino.destination({ dest: 2, sync: true });
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, stream);
  const writer =
    (at: LogLevel): LogMethod =>
    (message, details = {}) =>
      logger[at](details, message);
  const setLevel = (to: LogLevel): void => {
    logger.level = to;
  };
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error'), setLevel };
}

/** A log that keeps nothing. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
