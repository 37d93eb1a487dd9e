// The ways to dial: so many times, at a rate, again and again through one socket.
import { setTimeout as delay } from 'node:timers/promises';
import { askOnce, openLine } from './line.ts';
import { Tally } from './tally.ts';
import type { DialRequest, HoldRequest, KeepRequest, Report } from './traffic.ts';

const DEFAULT_CONCURRENCY = 16;
const DEFAULT_PAUSE_MS = 20;

/** Dialling that goes on until stopped. */
export interface DialTask {
  /** The report so far, after at least one more answer or failure. */
  look(): Promise<Report>;
  /** The whole report, when everything under way has its outcome. */
  stop(): Promise<Report>;
}

export async function dialMany({ count, concurrency, ...target }: DialRequest): Promise<Report> {
  const tally = new Tally();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await tally.count(() => askOnce(target));
  };
  const workers = target.sourcePort === undefined ? (concurrency ?? DEFAULT_CONCURRENCY) : 1;
  await Promise.all(Array.from({ length: workers }, worker));
  return tally.report();
}

export function holdRate({ perSecond, ...target }: HoldRequest): DialTask {
  const tally = new Tally();
  const underWay = new Set<Promise<unknown>>();
  const start = performance.now();
  let dialled = 0;
  const dial = () => {
    dialled++;
    const attempt = tally.count(() => askOnce(target)).finally(() => underWay.delete(attempt));
    underWay.add(attempt);
    return attempt;
  };
  // Timers are coarse: each tick catches up with the rate.
  const tick = () => {
    const due = ((performance.now() - start) * perSecond) / 1000;
    while (dialled < due) dial();
  };
  const timer = setInterval(tick, 5);
  return {
    async look() {
      await dial();
      return tally.report();
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      return tally.report();
    },
  };
}

export function keepAsking({ everyMs = DEFAULT_PAUSE_MS, ...target }: KeepRequest): DialTask {
  const tally = new Tally();
  const line = openLine(target);
  const stopping = new AbortController();
  let asked = ask();
  // Questions go one after the other: the socket holds one at a time.
  function ask(after: Promise<unknown> = Promise.resolve()): Promise<unknown> {
    return after.then(() => tally.count(() => line.ask()));
  }
  async function goOn(): Promise<void> {
    while (!stopping.signal.aborted) {
      await asked;
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) asked = ask(asked);
    }
    await asked;
    line.close();
  }
  const done = goOn();
  return {
    async look() {
      asked = ask(asked);
      await asked;
      return tally.report();
    },
    async stop() {
      stopping.abort();
      await done;
      return tally.report();
    },
  };
}
