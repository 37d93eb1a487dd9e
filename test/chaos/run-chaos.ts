// Runs random faults under traffic, and checks the kernel at checkpoints.

import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { loadFactor } from '../support/load-factor.ts';
import { Random } from '../support/random.ts';
import { type ChaosWorld, createChaosWorld } from './chaos-world.ts';
import { apiFaults, daemonFaults, diskFaults, type FaultPlanner, nftFaults, type PlannedFault } from './faults.ts';
import { type FlowResults, HealthyFlows, type RepairWindow } from './healthy-flows.ts';
import { rulesetFaults } from './ruleset-faults.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** At least this long, and at least this many faults. */
  readonly seconds: number;
  readonly faults: number;
  readonly print: (line: string) => void;
  /** Where the logs of the daemons are written at the end. */
  readonly logFile?: string | undefined;
}

export interface ChaosResults extends FlowResults {
  readonly faults: number;
  readonly checkpoints: number;
  readonly seconds: number;
  /** Output of daemons that crashed. */
  readonly crashes: readonly string[];
  /** Processes and files that the daemon left behind. */
  readonly leftovers: readonly string[];
}

/** The stated time from a foreign change to its repair, on a machine with an idle core. */
const REPAIR_MS = 1000;
const IN_FLIGHT_MS = 100;
/** Faults of both lanes between two checkpoints. */
const FAULTS_PER_CHECKPOINT = 50;
/** A command and two nft processes may be running, and one that is ending. */
const MAX_NFT_PROCESSES = 5;
const MAX_PAUSE_MS = 250;

/** One fault at a time that needs the daemon, beside one at a time that does not. */
const LANES: readonly (readonly FaultPlanner[])[] = [
  [...daemonFaults, ...nftFaults, ...rulesetFaults, ...rulesetFaults],
  [...apiFaults, ...diskFaults],
];

export async function runChaos(options: ChaosOptions): Promise<ChaosResults> {
  const chaos = await createChaosWorld();
  try {
    return await new ChaosRun(chaos, options).run();
  } finally {
    if (options.logFile !== undefined) await writeFile(options.logFile, chaos.log);
    await chaos.close();
  }
}

class ChaosRun {
  readonly #chaos: ChaosWorld;
  readonly #options: ChaosOptions;
  readonly #windows: RepairWindow[] = [];
  readonly #lanes: { readonly planners: readonly FaultPlanner[]; readonly random: Random }[];
  #faults = 0;
  #checkpoints = 0;
  #leftovers: string[] = [];

  constructor(chaos: ChaosWorld, options: ChaosOptions) {
    this.#chaos = chaos;
    this.#options = options;
    const random = new Random(options.seed);
    this.#lanes = LANES.map((planners) => ({ planners, random: random.fork() }));
  }

  async run(): Promise<ChaosResults> {
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    const flows = await HealthyFlows.start(this.#chaos);
    while (this.#faults < this.#options.faults || seconds() < this.#options.seconds) {
      await Promise.all(this.#lanes.map((lane) => this.#runLane(lane)));
      await this.#checkpoint();
    }
    const results = await flows.stop(this.#windows);
    return {
      ...results,
      faults: this.#faults,
      checkpoints: this.#checkpoints,
      seconds: seconds(),
      crashes: this.#chaos.crashes,
      leftovers: this.#leftovers,
    };
  }

  async #runLane({ planners, random }: { planners: readonly FaultPlanner[]; random: Random }): Promise<void> {
    const count = Math.ceil(Math.min(FAULTS_PER_CHECKPOINT, this.#options.faults) / LANES.length);
    for (let index = 0; index < count; index++) {
      const fault = random.pick(planners)?.(random);
      const pause = random.integer(0, MAX_PAUSE_MS);
      if (fault !== undefined) await this.#runFault(fault);
      await delay(pause);
    }
  }

  async #runFault(fault: PlannedFault): Promise<void> {
    this.#options.print(`fault ${++this.#faults}: ${fault.name}`);
    // Packets of earlier attempts may still be on their way.
    const from = Date.now() - IN_FLIGHT_MS * loadFactor();
    if ((await fault.run(this.#chaos)) === undefined) return;
    const to = Date.now() + REPAIR_MS * loadFactor();
    this.#windows.push({ from, to, fault: fault.name });
    // The next fault must not delay the repair: windows do not overlap.
    await delay(to - Date.now());
  }

  async #checkpoint(): Promise<void> {
    await this.#chaos.request('clear-faults');
    await this.#chaos.request('cut');
    await this.#chaos.waitUntilEqual();
    const nft = this.#chaos.nftPids('');
    if (nft.length > MAX_NFT_PROCESSES) this.#leftovers.push(`${nft.length} processes of the daemon`);
    this.#checkpoints++;
    this.#options.print(`checkpoint ${this.#checkpoints}: the kernel is equal after ${this.#faults} faults`);
  }
}
