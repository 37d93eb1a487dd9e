// Changes a loaded ruleset at random and checks with real packets that no tool calls a flow fine that is not.

import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Dialer } from '../support/netns/traffic/dialer-process.ts';
import type { DialReport } from '../support/netns/traffic/programs/messages.ts';
import { createWorld, type World } from '../support/netns/world.ts';
import { Random } from '../support/random.ts';
import { type Change, randomChanges } from './changes.ts';
import { FLOWS, type Flow, POD_NAMES, PODS, sceneEngine, TARGET_PORT } from './scene.ts';
import type { TruthRequest, TruthResponse } from './worker.ts';

export interface TruthOptions {
  readonly seed: number;
  /** The number of states, each after one to three changes. */
  readonly count: number;
  /** Skips the states before this one, but for the unchanged one, to repeat a state of a longer run. */
  readonly first?: number;
  readonly onProgress?: (report: TruthReport) => void;
}

export interface TruthReport {
  states: number;
  /** Scripts that nft accepted. */
  changes: number;
  /** Flows that `explain` called forwarded without reservation, and that were dialed. */
  claims: number;
  /** States in which `diff` found nothing although something of ours was changed, because it had no effect. */
  equal: number;
  /** Flows that worked although `explain` had reservations. */
  cautious: number;
  /** Where a tool said "well" and packets went astray. */
  readonly lies: string[];
}

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** Answers take milliseconds; an astray flow is dialed again with the longer limit before it counts. */
const SHORT = { count: 2, timeoutMs: 250 };
const LONG = { count: 6, timeoutMs: 3000 };

export async function runTruth({ seed, count, first = 0, onProgress }: TruthOptions): Promise<TruthReport> {
  const world = await createWorld({ pods: { node1: PODS, node2: ['c'] } });
  try {
    const ports = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };
    await Promise.all(['a', 'b', 'c'].map((pod) => world.pod(pod).respond(ports)));
    await world.node1.sysctl({
      'net.netfilter.nf_conntrack_udp_timeout': 2,
      'net.netfilter.nf_conntrack_udp_timeout_stream': 2,
      'net.netfilter.nf_conntrack_tcp_timeout_time_wait': 1,
      'net.netfilter.nf_conntrack_tcp_timeout_close': 1,
      'net.netfilter.nf_conntrack_tcp_timeout_syn_sent': 2,
    });
    const run = new TruthRun(world, await dialers(world));
    const random = new Random(seed);
    for (let state = 0; state < first + count; state++) {
      const ofState = random.fork();
      if (state > 0 && state < first) continue;
      await run.step(ofState, `seed ${seed}, state ${state}`);
      onProgress?.(run.report);
    }
    return run.report;
  } finally {
    await world.destroy();
  }
}

async function dialers(world: World): Promise<Readonly<Record<Flow['from'], Dialer>>> {
  const [client, shell, node1] = await Promise.all([
    world.client.dialer(),
    world.pod('shell').dialer(),
    world.node1.dialer(),
  ]);
  return { client, shell, node1 };
}

class TruthRun {
  readonly report: TruthReport = { states: 0, changes: 0, claims: 0, equal: 0, cautious: 0, lies: [] };
  readonly #dialers: Readonly<Record<Flow['from'], Dialer>>;
  readonly #ask: (request: TruthRequest) => Promise<TruthResponse>;
  readonly #engine = sceneEngine();

  constructor(world: World, allDialers: Readonly<Record<Flow['from'], Dialer>>) {
    this.#dialers = allDialers;
    const child = world.node1.spawn(process.execPath, [WORKER]);
    child.stderr.pipe(process.stderr);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#ask = async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value = '{"error":"the worker ended"}' } = await lines.next();
      const response = JSON.parse(value);
      if (response.error !== undefined) throw new Error(`${response.error}\n${request.scripts.join('\n\n')}`);
      return response;
    };
  }

  /** The first state of a run is the unchanged one, in which everything must be fine. */
  async step(random: Random, label: string): Promise<void> {
    const changes = this.report.states === 0 ? [] : randomChanges(random, this.#engine);
    const scripts = changes.map(({ script }) => script);
    const response = await this.#ask({ scripts, lookedUp: random.integer(0, FLOWS.length - 1) });
    let found = await this.#checkAll(response, changes, random);
    // Packets change the state, too: session affinity stores endpoints. What counts is what the tools say now.
    if (found.length > 0) {
      const again = await this.#ask({ scripts, keep: true, lookedUp: 0 });
      found = await this.#checkAll(again, changes, random);
    }
    this.report.states++;
    this.report.changes += response.applied;
    const isDifferent = response.drift !== '' || response.flows.some(({ differences }) => differences.length > 0);
    if (this.report.states === 1 && isDifferent)
      found.push(`the unchanged ruleset differs: ${JSON.stringify(response)}`);
    if (found.length > 0) this.report.lies.push([label, ...found, ...scripts].join('\n'));
  }

  async #checkAll(response: TruthResponse, changes: readonly Change[], random: Random): Promise<string[]> {
    const isEqual = response.drift === '';
    if (isEqual && changes.some(({ isForeign }) => !isForeign)) this.report.equal++;
    // Without chains of others, an equal ruleset means that all flows work.
    const isAllFine = (isEqual && changes.every(({ isForeign }) => !isForeign)) || response.doctor === 'well';
    const problems = await Promise.all(
      FLOWS.map((flow, index) => this.#check(flow, { said: response.flows[index], isAllFine, random: random.fork() })),
    );
    return problems.filter((problem) => problem !== undefined);
  }

  /** Describes how the flow goes astray although a tool said that it is fine. */
  async #check(
    flow: Flow,
    {
      said,
      isAllFine,
      random,
    }: { said: TruthResponse['flows'][number] | undefined; isAllFine: boolean; random: Random },
  ): Promise<string | undefined> {
    if (said === undefined) return `no answer about ${flow.name}`;
    const isClaimed = said.outcome === 'forward' && said.differences.length === 0;
    if (!isClaimed && !isAllFine) return this.#sampleCaution(flow, random);
    if (isClaimed) this.report.claims++;
    const pods = new Set(said.destinations.map((address) => POD_NAMES[address] ?? address));
    const expected = isClaimed ? pods : new Set(Object.values(POD_NAMES));
    if (isFine(await this.#dial(flow, SHORT), expected)) return undefined;
    const report = await this.#dial(flow, LONG);
    if (isFine(report, expected)) return undefined;
    const { answered, attempts, refused, timedOut, pods: seen } = report;
    const claim = isClaimed ? `explain: forwarded to ${[...pods].join(', ')}` : 'diff or doctor: all is well';
    return `${flow.name}: ${claim}, but ${JSON.stringify({ attempts, answered, refused, timedOut, seen })}`;
  }

  /** One in ten flows with reservations is dialed, too, to know how often they are needed. */
  async #sampleCaution(flow: Flow, random: Random): Promise<undefined> {
    if (random.next() < 0.1 && (await this.#dial(flow, { count: 1, timeoutMs: 100 })).answered === 1)
      this.report.cautious++;
  }

  #dial({ from, packet }: Flow, limits: { readonly count: number; readonly timeoutMs: number }): Promise<DialReport> {
    const { destination: address, destinationPort: port, protocol } = packet;
    return this.#dialers[from].dial({ protocol: protocol === 'udp' ? 'udp' : 'tcp', address, port, ...limits });
  }
}

function isFine({ attempts, answered, pods }: DialReport, expected: ReadonlySet<string>): boolean {
  return answered === attempts && Object.keys(pods).every((pod) => expected.has(pod));
}
