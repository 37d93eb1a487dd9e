// Measures the run time of the programs by BPF_PROG_TEST_RUN.

import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { BpfNamespace, PASSED, REDIRECTED } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { ACK, SYN } from '../../support/bpf/frames.ts';
import { ADDRESSES, DEVICE, POD_PORT, SERVICE_PORT } from '../../support/bpf/test-network.ts';
import { printTable } from '../report/print-table.ts';
import { summarize } from '../report/statistics.ts';

export interface ProgramCost {
  readonly name: string;
  readonly family: Family;
  readonly ns: number;
}

interface Case {
  readonly name: string;
  readonly program: 'uplink' | 'pod';
  readonly verdict: number;
  readonly bytes: (family: Family) => Uint8Array;
}

/** Each run lowers the TTL of a translated packet, so a packet lasts for fewer than 255 runs. */
const REPEAT = 250;
const TTL = 255;
const RUNS = 200;
/** The backend slots of the measured flows. */
const SLOTS: Readonly<Record<Family, number>> = { ip: 11, ip6: 12 };

/** The measured flow is translated to its own destination, so that translated packets still belong to it. */
const flow = (family: Family) => new FlowFrames({ family, protocol: 'tcp', pod: ADDRESSES[family].node });

const CASES: readonly Case[] = [
  {
    name: 'uplink: neither IPv4 nor IPv6',
    program: 'uplink',
    verdict: PASSED,
    bytes: (family) => {
      const bytes = Uint8Array.from(new FlowFrames({ family, protocol: 'udp' }).fromClient());
      bytes.set([0x88, 0xb5], 12);
      return bytes;
    },
  },
  {
    name: 'uplink: to a port of no Service',
    program: 'uplink',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'udp', servicePort: 9 }).fromClient(),
  },
  {
    name: 'uplink: of a connection that is not ours',
    program: 'uplink',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'tcp', clientPort: 50_000 }).fromClient({ flags: ACK }),
  },
  {
    name: 'uplink: of a flow',
    program: 'uplink',
    verdict: REDIRECTED,
    bytes: (family) => flow(family).fromClient({ flags: ACK, ip: { ttl: TTL } }),
  },
  {
    name: 'pod: from a port of no backend',
    program: 'pod',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'udp' }).fromPod({ sport: 9 }),
  },
  {
    name: 'pod: of a flow',
    program: 'pod',
    verdict: REDIRECTED,
    bytes: (family) => flow(family).fromPod({ flags: ACK, sport: SERVICE_PORT, ip: { ttl: TTL } }),
  },
];

/** Takes a few seconds. */
export async function measurePrograms(): Promise<ProgramCost[]> {
  const netns = await BpfNamespace.create();
  try {
    await netns.populate();
    for (const family of FAMILIES) await createFlow(netns, family);
    await netns.putPorts({ frontends: [SERVICE_PORT], backends: [POD_PORT, SERVICE_PORT] });
    const costs: ProgramCost[] = [];
    for (const family of FAMILIES) for (const testCase of CASES) costs.push(await measureCase(netns, testCase, family));
    return costs;
  } finally {
    await netns.close();
  }
}

async function createFlow(netns: BpfNamespace, family: Family): Promise<void> {
  const { node } = ADDRESSES[family];
  const slot = SLOTS[family];
  await netns.putBackend(slot, { address: node, protocol: 'tcp', port: SERVICE_PORT, svc: slot });
  await netns.putFrontend(node, 'tcp', { slots: [slot], svc: slot });
  const { verdict } = await netns.runPacket('uplink', flow(family).fromClient({ flags: SYN }));
  if (verdict !== REDIRECTED) throw new Error(`Cannot create a flow to "${node}"`);
}

async function measureCase(
  netns: BpfNamespace,
  { name, program, verdict, bytes }: Case,
  family: Family,
): Promise<ProgramCost> {
  const line = `${program} ${program === 'pod' ? DEVICE.pod : DEVICE.uplink} 0 ${toHex(bytes(family))}\n`;
  const { stdout } = await netns.runTool('bpf-harness', { args: ['time', String(REPEAT)], input: line.repeat(RUNS) });
  const answers = stdout
    .trim()
    .split('\n')
    .map((answer) => answer.split(' ').map(Number));
  const wrong = answers.find(([got]) => got !== verdict);
  if (wrong !== undefined || answers.length !== RUNS) throw new Error(`Cannot measure "${name}": ${wrong ?? stdout}`);
  return { name, family, ns: summarize(answers.map(([, ns = Number.NaN]) => ns)).median };
}

export function printProgramCosts(costs: readonly ProgramCost[]): string {
  const cell = (name: string, family: Family) =>
    `${costs.find((cost) => cost.name === name && cost.family === family)?.ns ?? '-'} ns`;
  const rows = CASES.map(({ name }) => [name, cell(name, 'ip'), cell(name, 'ip6')]);
  return printTable('The programs alone, including the overhead of a test run', ['', 'IPv4', 'IPv6'], rows);
}
