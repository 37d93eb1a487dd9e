// Reads the state of a running daemon from its socket.

import { type IncomingMessage, request } from 'node:http';
import { failureReason, isSystemError } from '../host/files/system-error.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import type { DaemonState } from './state/daemon-state.ts';

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
const ANSWER_MS = 5_000;

/** The state of the daemon at `path`. Rejects with an {@link AdminSocketError}. */
export async function fetchState(path: string, { answerMs = ANSWER_MS } = {}): Promise<DaemonState> {
  try {
    const response = await openResponse(path, answerMs);
    const text = await readText(response, answerMs);
    if (response.statusCode === 503) throw new NoState('busy', messageOf(text));
    return parseState(text);
  } catch (error) {
    const noState = error instanceof NoState ? error.noState : causeOf(error);
    const message = `Cannot read daemon state from "${path}": ${failureReason(error)}`;
    throw new AdminSocketError(message, { noState, cause: error });
  }
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

function openResponse(path: string, answerMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const query = request({ socketPath: path, path: '/state', agent: false }, (response) => {
      timer.stop();
      resolve(response);
    });
    const timer = watchSilence(answerMs, (error) => query.destroy(error));
    query.on('error', (error) => {
      timer.stop();
      reject(error);
    });
    query.end();
  });
}

function readText(response: IncomingMessage, answerMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const timer = watchSilence(answerMs, (error) => response.destroy(error));
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      timer.restart();
    });
    response.on('error', reject).on('end', () => resolve(Buffer.concat(chunks).toString()));
    response.on('close', () => timer.stop());
  });
}

/** Calls back after a time without a restart, but only when an answer that has arrived meanwhile has been read. */
function watchSilence(limitMs: number, onSilence: (error: Error) => void): { restart(): void; stop(): void } {
  let isOver = false;
  const fail = () => {
    if (!isOver) onSilence(new NoState('silent', `no answer within ${limitMs / 1000} s`));
  };
  const timer = setTimeout(() => setImmediate(() => setImmediate(fail)), limitMs);
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  return { restart: () => void timer.refresh(), stop };
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
