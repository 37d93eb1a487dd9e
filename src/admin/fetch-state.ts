// Reads the state of a running daemon from its socket.

import { type IncomingMessage, request } from 'node:http';
import { failureReason, isSystemError } from '../host/files/system-error.ts';
import { waitedForCpuMs } from '../host/process/process-state.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import type { DaemonState } from './state/daemon-state.ts';
import { type Destination, statePath } from './state/state-query.ts';

/**
 * Why there is no state:
 *
 * - `absent`: no process listens
 * - `silent`: a process listens, but does not answer: stopped, hung, or waiting for a CPU
 * - `busy`: too many others are reading
 * - `refused`: this user may not connect
 * - `invalid`: the answer is not that of an nftlane daemon
 */
type NoStateCause = 'absent' | 'silent' | 'busy' | 'refused' | 'invalid';

/** The socket does not answer, its answer is not that of an nftlane daemon, or another daemon uses it. */
export class AdminSocketError extends EnvironmentError {
  override readonly name = 'AdminSocketError';
  readonly noState: NoStateCause;

  constructor(message: string, { noState, ...options }: ErrorOptions & { readonly noState: NoStateCause }) {
    super(message, options);
    this.noState = noState;
  }
}

/** A stopped process accepts connections as long as its backlog has room, and never answers. */
const ANSWER_MS = 500;
/** The same for a command, which may change many Services. */
const COMMAND_MS = 10_000;
/** On a machine with too few CPUs, a daemon that wants to answer gets this multiple of the time. */
const MAX_EXTENSIONS = 20;
/** The part of the time without a CPU that counts as a lack of CPUs. */
const STARVED = 0.2;

interface FetchOptions {
  /** How long the daemon may be silent. */
  readonly answerMs?: number;
  /** Its process, if it is known. */
  readonly pid?: number | undefined;
  /** Only the objects that matter for packets to this destination. */
  readonly destination?: Destination | undefined;
}

/** The state of the daemon at `path`. Rejects with an {@link AdminSocketError}. */
export async function fetchState(
  path: string,
  { answerMs = ANSWER_MS, pid, destination }: FetchOptions = {},
): Promise<DaemonState> {
  try {
    const text = await ask(path, { method: 'GET', command: statePath(destination), limit: { answerMs, pid } });
    return parseState(text);
  } catch (error) {
    throw toAdminSocketError(`Cannot read daemon state from "${path}"`, error);
  }
}

/** Sends a command to the daemon at `path`, and returns its answer. Rejects with an {@link AdminSocketError}. */
export async function sendCommand(path: string, command: string): Promise<unknown> {
  try {
    return JSON.parse(await ask(path, { method: 'POST', command, limit: { answerMs: COMMAND_MS, pid: undefined } }));
  } catch (error) {
    throw toAdminSocketError(`Cannot send a command to "${path}"`, error);
  }
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly command: string;
  readonly limit: SilenceLimit;
}

async function ask(path: string, question: Question): Promise<string> {
  const response = await openResponse(path, question);
  const text = await readText(response, question.limit);
  if (response.statusCode === 503) throw new NoState('busy', messageOf(text));
  return text;
}

function toAdminSocketError(action: string, error: unknown): AdminSocketError {
  const noState = error instanceof NoState ? error.noState : causeOf(error);
  return new AdminSocketError(`${action}: ${failureReason(error)}`, { noState, cause: error });
}

class NoState extends Error {
  readonly noState: NoStateCause;

  constructor(noState: NoStateCause, message: string) {
    super(message);
    this.noState = noState;
  }
}

/** EAGAIN: the backlog of the socket is full. A connection that is closed was one too many. */
const CAUSES: Readonly<Record<string, NoStateCause>> = {
  ENOENT: 'absent',
  ECONNREFUSED: 'absent',
  ENOTSOCK: 'absent',
  EAGAIN: 'silent',
  ECONNRESET: 'busy',
  EPIPE: 'busy',
  EACCES: 'refused',
  EPERM: 'refused',
};

function causeOf(error: unknown): NoStateCause {
  const code = isSystemError(error) || (error instanceof Error && 'code' in error) ? String(error.code) : '';
  return CAUSES[code] ?? 'invalid';
}

function openResponse(path: string, { method, command, limit }: Question): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const query = request({ socketPath: path, path: command, method, agent: false }, (response) => {
      timer.stop();
      resolve(response);
    });
    const timer = watchSilence(limit, (error) => query.destroy(error));
    query.on('error', (error) => {
      timer.stop();
      reject(error);
    });
    query.end();
  });
}

function readText(response: IncomingMessage, limit: SilenceLimit): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const timer = watchSilence(limit, (error) => response.destroy(error));
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      timer.restart();
    });
    response.on('error', reject).on('end', () => resolve(Buffer.concat(chunks).toString()));
    response.on('close', () => timer.stop());
  });
}

interface SilenceLimit {
  readonly answerMs: number;
  readonly pid: number | undefined;
}

/**
 * Calls back after a time without a restart, not counting the time in which the daemon or this process had no CPU, and
 * only when an answer that has arrived meanwhile has been read.
 */
function watchSilence(
  { answerMs, pid }: SilenceLimit,
  onSilence: (error: Error) => void,
): { restart(): void; stop(): void } {
  let isOver = false;
  let extensions = 0;
  let waitedMs = waitedMsOf(pid);
  const restart = (): void => {
    waitedMs = waitedMsOf(pid);
    timer.refresh();
  };
  const check = (): void => {
    if (isOver) return;
    const isStarved = waitedMsOf(pid) - waitedMs >= STARVED * answerMs;
    if (isStarved && extensions++ < MAX_EXTENSIONS) restart();
    else onSilence(new NoState('silent', `no answer within ${answerMs / 1000} s`));
  };
  const timer = setTimeout(() => setImmediate(() => setImmediate(check)), answerMs);
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  return { restart, stop };
}

function waitedMsOf(pid: number | undefined): number {
  return waitedForCpuMs('self') + (pid === undefined ? 0 : waitedForCpuMs(pid));
}

function parseState(text: string): DaemonState {
  const state: unknown = JSON.parse(text);
  if (typeof state !== 'object' || state === null || !('objects' in state) || !('status' in state))
    throw new NoState('invalid', 'the answer is not that of this version of nftlane');
  return state as DaemonState;
}

function messageOf(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message);
  } catch {
    return 'busy';
  }
}
