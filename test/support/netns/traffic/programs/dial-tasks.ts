// Ways to make connections: a number of times, at a rate, or repeatedly through one socket.

import { setTimeout as delay } from 'node:timers/promises';
import { openClientSocket, requestOnce } from './client-socket.ts';
import type { DialRateRequest, DialReport, DialRequest, KeepConnectionRequest } from './messages.ts';
import { OutcomeCounter } from './outcome-counter.ts';

const DEFAULT_CONCURRENCY = 16;
const DEFAULT_PAUSE_MS = 20;

/** A task that runs until it is stopped. */
export interface DialTask {
  /** The report so far, after at least one more outcome. */
  snapshot(): Promise<DialReport>;
  /** The complete report, after the outcomes of pending attempts. */
  stop(): Promise<DialReport>;
}

export async function dialMany({ count, concurrency, ...target }: DialRequest): Promise<DialReport> {
  const counter = new OutcomeCounter();
  let remaining = count;
  const worker = async () => {
    while (remaining-- > 0) await counter.count(() => requestOnce(target));
  };
  const workers = target.sourcePort === undefined ? (concurrency ?? DEFAULT_CONCURRENCY) : 1;
  await Promise.all(Array.from({ length: workers }, worker));
  return counter.report();
}

export function dialAtRate({ perSecond, ...target }: DialRateRequest): DialTask {
  const counter = new OutcomeCounter();
  const pending = new Set<Promise<unknown>>();
  const start = performance.now();
  let started = 0;
  const dial = () => {
    started++;
    const attempt = counter.count(() => requestOnce(target)).finally(() => pending.delete(attempt));
    pending.add(attempt);
    return attempt;
  };
  // Timers are coarse, so each tick catches up with the rate.
  const tick = () => {
    const due = ((performance.now() - start) * perSecond) / 1000;
    while (started < due) dial();
  };
  const timer = setInterval(tick, 5);
  return {
    async snapshot() {
      await dial();
      return counter.report();
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
      return counter.report();
    },
  };
}

export function requestRepeatedly({
  everyMs = DEFAULT_PAUSE_MS,
  onFailure,
  ...target
}: KeepConnectionRequest): DialTask {
  const counter = new OutcomeCounter();
  let client = openClientSocket(target);
  const stopping = new AbortController();
  let lastRequest = sendRequest();
  // Requests are sequential: the socket allows one at a time.
  function sendRequest(after: Promise<unknown> = Promise.resolve()): Promise<unknown> {
    return after.then(request);
  }
  async function request(): Promise<void> {
    if ((await counter.count(() => client.request())) || onFailure === undefined) return;
    client.close();
    client = openClientSocket(target);
  }
  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await lastRequest;
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) lastRequest = sendRequest(lastRequest);
    }
    await lastRequest;
    client.close();
  }
  const done = loop();
  return {
    async snapshot() {
      lastRequest = sendRequest(lastRequest);
      await lastRequest;
      return counter.report();
    },
    async stop() {
      stopping.abort();
      await done;
      return counter.report();
    },
  };
}
