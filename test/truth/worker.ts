// Runs in the network namespace of the node: changes the ruleset with nft, and asks the tools what they say about it. Each
// input line is a request, each output line a response.

import { createInterface } from 'node:readline';
import { explainInKernel } from '../../src/admin/explain-in-kernel.ts';
import { checkForeignRules } from '../../src/doctor/ruleset-checks.ts';
import { findDrift, printDrift } from '../../src/engine/drift.ts';
import { render } from '../../src/engine/render.ts';
import { explain } from '../../src/explain/explanation.ts';
import { kernelRuleset } from '../../src/explain/ruleset/kernel-ruleset.ts';
import { elementIndex } from '../../src/explain/ruleset/ruleset.ts';
import { exec } from '../../src/host/process/exec.ts';
import { hostSystem } from '../../src/host/process/system.ts';
import { FAMILIES } from '../../src/net/family.ts';
import { NftProgram } from '../../src/nftables/client/nft-program.ts';
import { allSetsAndMaps } from '../../src/nftables/compile/sets-and-maps.ts';
import type { InstalledElement, KernelListing } from '../../src/nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../../src/nftables/syntax/listed-table.ts';
import { ElementReader } from '../../src/nftables/syntax/listing.ts';
import { type RefKey, refKey } from '../../src/nftables/syntax/object-ref.ts';
import { FLOWS, HOST, sceneEngine } from './scene.ts';

export interface TruthRequest {
  /** Scripts to apply to a fresh ruleset, one after the other. */
  readonly scripts: readonly string[];
  /** Asks again about the present state, without applying anything. */
  readonly keep?: boolean;
  /** The flow that is explained by single lookups of elements, as the command does. */
  readonly lookedUp: number;
}

/** What the tools say. */
export interface TruthResponse {
  /** How many of the scripts nft accepted. */
  readonly applied: number;
  /** What `diff` prints. */
  readonly drift: string;
  readonly doctor: 'well' | 'warning';
  /** Of each flow: what `explain` says of the kernel, where it goes, and what differs. */
  readonly flows: readonly {
    readonly outcome: string;
    readonly destinations: readonly string[];
    readonly differences: readonly string[];
  }[];
}

const engine = sceneEngine();
const fresh = `flush ruleset\n${render(engine)}`;
const program = new NftProgram({ command: 'nft' });

/** All elements, with one process for each table. */
async function listElements(tables: readonly ListedTable[]): Promise<Map<RefKey, Map<string, InstalledElement>>> {
  const elements = new Map<RefKey, Map<string, InstalledElement>>();
  for (const family of FAMILIES) {
    if (!tables.some((table) => table.family === family && table.name === 'nftlane')) continue;
    const reader = new ElementReader();
    let current: Map<string, InstalledElement> | undefined;
    await program.script([`list table ${family} nftlane`], (line) => {
      const [, kind, name] = /^\t(set|map|chain) (\S+) \{/.exec(line) ?? [];
      if (kind !== undefined) current = new Map();
      if (name !== undefined && current !== undefined) elements.set(refKey({ family, name }), current);
      for (const { key, data, comment } of reader.read(line)) current?.set(key, { data, comment });
    });
  }
  for (const [key, found] of elements) if (found.size === 0) elements.delete(key);
  return elements;
}

async function nft(script: string): Promise<boolean> {
  const { status } = await exec('nft', ['-f', '-'], { input: `${script}\n`, timeoutMs: 60_000 });
  return status === 0;
}

async function respond({ scripts, keep = false, lookedUp }: TruthRequest): Promise<TruthResponse> {
  if (!keep && !(await nft(fresh))) throw new Error('Cannot load the ruleset');
  let applied = 0;
  for (const script of keep ? [] : scripts) if (await nft(script)) applied++;
  const tables = await program.listRuleset();
  const elements = await listElements(tables);
  const chains = tables.flatMap(({ family, name, chains: listed }) =>
    name === 'nftlane' ? listed.map((chain) => ({ family: family as 'ip', name: chain.name })) : [],
  );
  const ours = tables.filter(({ family, name }) => name === 'nftlane' && (family === 'ip' || family === 'ip6'));
  const known = allSetsAndMaps().filter((object) =>
    ours.some((table) =>
      table.setsAndMaps.some(
        ({ kind, name }) => table.family === object.family && name === object.name && kind === object.kind,
      ),
    ),
  );
  const knownKeys = new Set(known.map(refKey));
  const compared = new Map([...elements].filter(([key]) => knownKeys.has(key)));
  const listing: KernelListing = { elements: compared, chains, tables: ours };
  engine.adopt(listing);
  const drift = printDrift(findDrift(engine, listing));
  const context = { system: hostSystem, nft: 'nft', conntrack: '', runDir: '', nodePortRange: [1, 2] as const };
  const checks = await checkForeignRules({ ...context, daemon: { daemon: 'not-asked' } } as never);
  const isWell = drift === '' && checks.every(({ status }) => status === 'ok');
  const flows = [];
  for (const [index, { packet }] of FLOWS.entries()) {
    const { family } = packet;
    const byName = new Map(
      [...elements].flatMap(([key, found]) => {
        const [objectFamily, name = ''] = key.split(' ');
        const list = [...found].map(([elementKey, element]) => ({ key: elementKey, ...element }));
        return objectFamily === family ? [[name, list] as const] : [];
      }),
    );
    const explanation =
      index === lookedUp
        ? await explainInKernel(packet, tables, { engine, host: HOST, program })
        : explain(packet, { engine, host: HOST, ruleset: kernelRuleset(tables, family, elementIndex(byName)) });
    const { outcome, destinations } = explanation.kernel;
    const addresses = destinations.map(({ address }) => address);
    flows.push({ outcome, destinations: addresses, differences: explanation.differences });
  }
  return { applied, drift, doctor: isWell ? 'well' : 'warning', flows };
}

for await (const line of createInterface({ input: process.stdin })) {
  const response = await respond(JSON.parse(line)).catch((error: unknown) => ({
    error: error instanceof Error ? error.stack : String(error),
  }));
  process.stdout.write(`${JSON.stringify(response)}\n`);
}
