// Connections to the healthy Service, which no fault may disturb.

import type { Addresses } from '../support/netns/topology.ts';
import type { RunningDial } from '../support/netns/traffic/dialer-process.ts';
import type { DialReport, Failure, Target } from '../support/netns/traffic/programs/messages.ts';
import { type ChaosWorld, HEALTHY_NODE_PORT, NODE_ADDRESSES } from './chaos-world.ts';

/** New connections a second, of each kind. */
const PER_SECOND = 12;
const KEEP_EVERY_MS = 100;
/** A lost SYN is sent again after a second, so only connections that stay lost fail. */
const TIMEOUT_MS = 4_000;

/** A time in which new connections may fail, from a fault to its stated repair. */
export interface RepairWindow {
  readonly from: number;
  readonly to: number;
  readonly fault: string;
}

interface Flow {
  readonly name: string;
  readonly isLong: boolean;
  readonly dial: RunningDial;
}

export interface FlowResults {
  readonly newConnections: number;
  readonly longRequests: number;
  /** Attempts outside of all repair windows that failed: new connections, and requests on established ones. */
  readonly lost: readonly string[];
  readonly broken: readonly string[];
  /** The same inside of a repair window. */
  readonly lostInRepair: number;
  readonly brokenInRepair: number;
  /** The latest failure in a repair window, in milliseconds after its begin. */
  readonly longestRepairMs: number;
}

export class HealthyFlows {
  readonly #flows: Flow[] = [];

  /** Starts TCP and UDP, of both families, from outside to the node port and from a pod to the cluster IP. */
  static async start(chaos: ChaosWorld): Promise<HealthyFlows> {
    const flows = new HealthyFlows();
    const sources = [
      { from: 'client', dialer: await chaos.world.client.dialer(), at: NODE_ADDRESSES, port: HEALTHY_NODE_PORT },
      { from: 'pod', dialer: await chaos.world.pod('shell').dialer(), at: chaos.healthyAt, port: 80 },
    ];
    for (const { from, dialer, at, port } of sources) {
      for (const target of targets(at, port)) {
        const name = `${from} ${target.protocol} ${target.address}`;
        const rate = await dialer.dialAtRate({ ...target, perSecond: PER_SECOND, timeoutMs: TIMEOUT_MS });
        const long = await dialer.keepConnection({
          ...target,
          everyMs: KEEP_EVERY_MS,
          timeoutMs: TIMEOUT_MS,
          onFailure: 'reopen',
        });
        flows.#flows.push({ name, isLong: false, dial: rate }, { name, isLong: true, dial: long });
      }
    }
    return flows;
  }

  /** Stops all connections and judges their outcomes. */
  async stop(windows: readonly RepairWindow[]): Promise<FlowResults> {
    const reports = await Promise.all(this.#flows.map(async (flow) => ({ ...flow, report: await flow.dial.stop() })));
    const long = reports.filter(({ isLong }) => isLong);
    const short = reports.filter(({ isLong }) => !isLong);
    const [brokenIn, lostIn] = [judge(long, windows), judge(short, windows)];
    return {
      newConnections: attempts(short),
      longRequests: attempts(long),
      lost: lostIn.outside,
      broken: brokenIn.outside,
      lostInRepair: lostIn.repairs.length,
      brokenInRepair: brokenIn.repairs.length,
      longestRepairMs: Math.round(Math.max(0, ...lostIn.repairs, ...brokenIn.repairs)),
    };
  }
}

interface NamedReport {
  readonly name: string;
  readonly report: DialReport;
}

/** The failures outside of repair windows, and the times of the others after their fault. */
function judge(reports: readonly NamedReport[], windows: readonly RepairWindow[]) {
  const outside: string[] = [];
  const repairs: number[] = [];
  for (const { name, report } of reports) {
    for (const failure of report.failures) {
      const window = windowOf(failure, windows);
      if (window === undefined) outside.push(`${new Date(failure.at).toISOString()} ${name}: ${failure.code}`);
      else repairs.push(failure.at - window.from);
    }
  }
  return { outside, repairs };
}

function targets(at: Addresses, port: number): Target[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    [at.ip, at.ip6].map((address) => ({ protocol, address, port })),
  );
}

/** The last window before the failure, if the attempt began in it. */
function windowOf({ at }: Failure, windows: readonly RepairWindow[]): RepairWindow | undefined {
  return windows.findLast(({ from, to }) => at >= from && at <= to);
}

function attempts(reports: readonly NamedReport[]): number {
  return reports.reduce((total, { report }) => total + report.attempts, 0);
}
