// Parses a manifest in a thread, which can be ended, and takes memory only while it runs.

import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import * as z from 'zod/mini';
import { errorMessage } from '../../../lib/error-message.ts';
import type { Kind } from '../../../services/objects/kinds.ts';
import type { ValidationIssue } from '../../../services/objects/validation-issue.ts';
import { decodeManifest, type ManifestBytes } from './decode-manifest.ts';
import { ManifestError, type Position } from './manifest-error.ts';
import { type ManifestReceiver, parseSteps } from './parse-manifests.ts';

/** Far beyond what a useful file needs: 1 MiB of YAML takes 1 to 4 s, and a document 80 times its size in memory. */
const [LIMIT_MS, LIMIT_MS_PER_MIB] = [10_000, 15_000];
const MAX_HEAP_MIB = 384;
/** The length of objects that are received at a time: they take a few milliseconds. */
const BATCH_LENGTH = 64 * 1024;
const TASK = 'nftlane: parse a manifest';

/** What the thread found. Objects are JSON, which is cheaper to copy than objects, and to be read by the receiver's thread. */
type Finding =
  | { readonly type: 'object'; readonly kind: Kind; readonly json: string; readonly location: string }
  | { readonly type: 'issue'; readonly issue: ValidationIssue }
  | { readonly type: 'error'; readonly reason: string; readonly at: Position | undefined }
  | { readonly type: 'ignored'; readonly name: string };

type Message = { readonly findings: readonly Finding[] } | { readonly failure: string } | { readonly done: true };

/**
 * Passes the contents of a file to the receiver, in pieces. Rejects with {@link ManifestError} if the file is not text, or
 * if parsing it takes too much time or memory, and when the signal aborts.
 */
export async function parseInThread(
  { file, bytes }: ManifestBytes,
  { receiver, signal }: { readonly receiver: ManifestReceiver; readonly signal: AbortSignal },
): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { task: TASK, file, bytes },
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  });
  const limitMs = LIMIT_MS + (LIMIT_MS_PER_MIB * bytes.byteLength) / 1024 ** 2;
  const stop = new AbortController();
  worker.once('exit', () => stop.abort(new ManifestError(file, 'cannot be parsed: the thread ended')));
  const timeout = setTimeout(() => stop.abort(new ManifestError(file, 'takes too long to parse')), limitMs);
  try {
    await receiveAll(worker, { file, receiver, signal: AbortSignal.any([signal, stop.signal]) });
  } catch (error) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw isOutOfMemory(error)
      ? new ManifestError(file, 'needs too much memory to be parsed: use JSON, or smaller documents')
      : error;
  } finally {
    clearTimeout(timeout);
    await worker.terminate();
  }
}

async function receiveAll(
  worker: Worker,
  { file, receiver, signal }: { file: string; receiver: ManifestReceiver; signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const [message]: Message[] = await once(worker, 'message', { signal });
    if (message === undefined || 'done' in message) return;
    if ('failure' in message) throw new ManifestError(file, message.failure);
    for (const finding of message.findings) pass(finding, file, receiver);
    await nextTurn();
    worker.postMessage('next');
  }
}

function pass(finding: Finding, file: string, receiver: ManifestReceiver): void {
  if (finding.type === 'object') {
    receiver.addObject(finding.kind, JSON.parse(finding.json), finding.location);
  } else if (finding.type === 'issue') receiver.addIssue(finding.issue);
  else if (finding.type === 'ignored') receiver.addIgnored(finding.name);
  else receiver.addError(new ManifestError(file, finding.reason, finding.at === undefined ? {} : { at: finding.at }));
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

/** Collects findings in the thread, and sends them. */
class Sender implements ManifestReceiver {
  readonly #port: MessagePort;
  #findings: Finding[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  addObject(kind: Kind, value: unknown, location: string): void {
    this.#findings.push({ type: 'object', kind, json: JSON.stringify(value), location });
  }

  addIssue(issue: ValidationIssue): void {
    this.#findings.push({ type: 'issue', issue });
  }

  addError({ reason, line, column }: ManifestError): void {
    const at = line === undefined || column === undefined ? undefined : { line, column };
    this.#findings.push({ type: 'error', reason, at });
  }

  addIgnored(name: string): void {
    this.#findings.push({ type: 'ignored', name });
  }

  /** Sends in batches, each after the receiver is done with the one before. `isLast` sends an incomplete batch, too. */
  async send({ isLast }: { readonly isLast: boolean }): Promise<void> {
    let batch: Finding[] = [];
    let length = 0;
    for (const finding of this.#findings) {
      batch.push(finding);
      length += finding.type === 'object' ? finding.json.length : 100;
      if (length < BATCH_LENGTH) continue;
      await this.#post(batch);
      [batch, length] = [[], 0];
    }
    this.#findings = batch;
    if (!isLast || batch.length === 0) return;
    await this.#post(batch);
    this.#findings = [];
  }

  async #post(findings: readonly Finding[]): Promise<void> {
    this.#port.postMessage({ findings } satisfies Message);
    await once(this.#port, 'message');
  }
}

const JOB = z.object({ task: z.literal(TASK), file: z.string(), bytes: z.instanceof(Uint8Array) });

/** The thread itself: the program, or this file, is loaded a second time. */
async function serve(manifest: ManifestBytes, port: MessagePort): Promise<void> {
  try {
    const sender = new Sender(port);
    const text = decodeManifest(manifest);
    for (const _ of parseSteps({ text, file: manifest.file }, sender)) await sender.send({ isLast: false });
    await sender.send({ isLast: true });
    port.postMessage({ done: true } satisfies Message);
  } catch (error) {
    port.postMessage({
      failure: error instanceof ManifestError ? error.reason : errorMessage(error),
    } satisfies Message);
  }
}

const job = isMainThread ? undefined : JOB.safeParse(workerData);
if (job?.success === true && parentPort !== null) void serve(job.data, parentPort);
