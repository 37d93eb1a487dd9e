// Background traffic of every kind: new flows at a constant rate, and persistent flows.

import type { Test } from 'tap';
import type { Dialer, RunningDial } from '../netns/traffic/dialer-process.ts';
import type { DialReport } from '../netns/traffic/programs/messages.ts';
import { NODE_PORT_TARGETS, type NodePortTarget } from './fast-path-fixture.ts';

/** Long, for a busy machine. A lost datagram is not sent again, so it would be noticed in any case. */
const TIMEOUT_MS = 10_000;
const PER_SECOND = 8;
const PERSISTENT_FLOWS = 2;

/** A flow that sends requests continuously. */
export interface PersistentFlow {
  readonly target: NodePortTarget;
  readonly flow: RunningDial;
}

/** Starts new flows to every target, each with one request. */
export async function startNewFlows(dialer: Dialer): Promise<RunningDial[]> {
  return Promise.all(
    NODE_PORT_TARGETS.map(({ protocol, address, port }) => {
      return dialer.dialAtRate({ protocol, address, port, perSecond: PER_SECOND, timeoutMs: TIMEOUT_MS });
    }),
  );
}

/** Starts a few persistent flows to every target. Each has had one response. */
export async function startPersistentFlows(dialer: Dialer): Promise<PersistentFlow[]> {
  const targets = NODE_PORT_TARGETS.flatMap((target) => Array.from({ length: PERSISTENT_FLOWS }, () => target));
  return Promise.all(
    targets.map(async (target) => {
      const { protocol, address, port } = target;
      return { target, flow: await dialer.keepConnection({ protocol, address, port, timeoutMs: TIMEOUT_MS }) };
    }),
  );
}

/** Stops them, and expects a response to every request. Returns the number of flows. */
export async function stopNewFlows(t: Test, dials: readonly RunningDial[], message: string): Promise<number> {
  const reports = await Promise.all(dials.map((dial) => dial.stop()));
  for (const [i, report] of reports.entries())
    expectAllAnswered(t, report, `${message}: new flows, ${NODE_PORT_TARGETS[i]?.name}`);
  return reports.reduce((sum, { attempts }) => sum + attempts, 0);
}

/** Stops them, and expects a response to every request, each from the same pod. `movesUdp`: UDP flows may change pods. */
export async function stopPersistentFlows(
  t: Test,
  flows: readonly PersistentFlow[],
  { message, movesUdp = false }: { message: string; movesUdp?: boolean },
): Promise<void> {
  for (const { target, flow } of flows) {
    const report = await flow.stop();
    expectAllAnswered(t, report, `${message}: a persistent flow, ${target.name}`);
    if (movesUdp && target.protocol === 'udp') continue;
    t.equal(Object.keys(report.pods).length, 1, `${message}: the flow stayed with its pod`);
  }
}

export function expectAllAnswered(
  t: Test,
  { attempts, answered, refused, timedOut, errors }: DialReport,
  message: string,
): void {
  const lost = { refused, timedOut, errors };
  t.strictSame(lost, { refused: 0, timedOut: 0, errors: {} }, `${message}: ${answered} of ${attempts} responses`);
}
