// What the programs take by themselves, on packets that never were on a wire.
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

/** A packet of a flow comes back from the program with its TTL one less, and has to last so many times. */
const REPEAT = 250;
const TTL = 255;
const RUNS = 200;
/** Of the same slot in each family. */
const SLOTS: Readonly<Record<Family, number>> = { ip: 11, ip6: 12 };

/** The flow that is measured leads from an address and port to the same ones, so that its packets stay its packets. */
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
    name: 'uplink: to a port that no Service has',
    program: 'uplink',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'udp', servicePort: 9 }).fromClient(),
  },
  {
    name: 'uplink: in the middle of a connection that is not ours',
    program: 'uplink',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'tcp', clientPort: 50_000 }).fromClient({ flags: ACK }),
  },
  {
    name: 'uplink: of a flow, to its backend',
    program: 'uplink',
    verdict: REDIRECTED,
    bytes: (family) => flow(family).fromClient({ flags: ACK, ip: { ttl: TTL } }),
  },
  {
    name: 'pod: from a port that no backend has',
    program: 'pod',
    verdict: PASSED,
    bytes: (family) => new FlowFrames({ family, protocol: 'udp' }).fromPod({ sport: 9 }),
  },
  {
    name: 'pod: of a flow, to its client',
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
    for (const family of FAMILIES) for (const one of CASES) costs.push(await measureCase(netns, one, family));
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
  if (verdict !== REDIRECTED) throw new Error(`Cannot begin a flow to ${node}`);
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
  return printTable('The programs alone, what running them takes included', ['', 'IPv4', 'IPv6'], rows);
}
