// The log on standard error: JSON lines, or text on a terminal.

import { pino } from 'pino';
import type { LogFormat, LogLevel } from './log-level.ts';

/** Details of a message by name. */
export type LogFields = Readonly<Record<string, unknown>>;

type LogMethod = (message: string, details?: LogFields) => void;

/** A method for each level. Messages are constant; details are fields. */
export type Log = Readonly<Record<LogLevel, LogMethod>>;

/** A log whose level can be changed at run time. */
export interface AdjustableLog extends Log {
  setLevel(level: LogLevel): void;
}

/** A log on standard error. `auto` is text on a terminal and JSON otherwise. Writes are synchronous, so that nothing is lost at exit. */
export async function createLog({ level, format }: { level: LogLevel; format: LogFormat }): Promise<AdjustableLog> {
  const text = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  // The text printer is loaded only when it is used.
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
