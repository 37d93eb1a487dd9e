// Traffic of every kind while something happens: new flows all the time, and flows that stay.
import type { Test } from 'tap';
import type { Dialer, Dialling } from '../netns/traffic/dialer-process.ts';
import type { Report } from '../netns/traffic/traffic.ts';
import { WAYS, type Way } from './scene.ts';

/** A datagram that is lost is not sent again: what is answered late has only waited for the machine. */
const PATIENCE_MS = 10_000;
const PER_SECOND = 8;
const KEPT = 2;

/** A flow that asks again and again. */
export interface Kept {
  readonly way: Way;
  readonly flow: Dialling;
}

/** New flows by every way, each with one question. */
export async function holdAll(dialer: Dialer): Promise<Dialling[]> {
  return Promise.all(
    WAYS.map(({ protocol, address, port }) => {
      return dialer.hold({ protocol, address, port, perSecond: PER_SECOND, timeoutMs: PATIENCE_MS });
    }),
  );
}

/** Flows that stay, a few by every way. Each was answered once. */
export async function keepAll(dialer: Dialer): Promise<Kept[]> {
  const each = WAYS.flatMap((way) => Array.from({ length: KEPT }, () => way));
  return Promise.all(
    each.map(async (way) => {
      const { protocol, address, port } = way;
      return { way, flow: await dialer.keep({ protocol, address, port, timeoutMs: PATIENCE_MS }) };
    }),
  );
}

/** Ends them: every question has had its answer. Returns how many new flows there were. */
export async function endHeld(t: Test, held: readonly Dialling[], message: string): Promise<number> {
  const reports = await Promise.all(held.map((one) => one.stop()));
  for (const [i, report] of reports.entries()) hasAll(t, report, `${message}: new flows, ${WAYS[i]?.name}`);
  return reports.reduce((sum, { attempts }) => sum + attempts, 0);
}

/** Ends them: every question has had its answer, each from the same pod; by UDP from others where endpoints were removed. */
export async function endKept(
  t: Test,
  kept: readonly Kept[],
  { message, movesUdp = false }: { message: string; movesUdp?: boolean },
): Promise<void> {
  for (const { way, flow } of kept) {
    const report = await flow.stop();
    hasAll(t, report, `${message}: a flow of before, ${way.name}`);
    if (movesUdp && way.protocol === 'udp') continue;
    t.equal(Object.keys(report.pods).length, 1, `${message}: it has stayed with its pod`);
  }
}

export function hasAll(t: Test, { attempts, answered, refused, timedOut, errors }: Report, message: string): void {
  const lost = { refused, timedOut, errors };
  t.strictSame(lost, { refused: 0, timedOut: 0, errors: {} }, `${message}: ${answered} of ${attempts} answers`);
}
